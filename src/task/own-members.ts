/**
 * What JSON.parse gave, without what a handler may have put on Object.prototype: there, a member that is absent
 * would read as that handler's.
 */
export const ownMembers = <T extends object>(parsed: T): T => Object.setPrototypeOf(parsed, null) as T;
