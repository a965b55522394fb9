function revoked(target: object): object {
  const { proxy, revoke } = Proxy.revocable(target, {});
  revoke();
  return proxy;
}

const boom = (): never => {
  throw new Error("looked at");
};
class Hostile extends Error {
  override get message(): never {
    return boom();
  }
}
const evilText = { toString: boom, valueOf: boom, [Symbol.toPrimitive]: boom };

/** What cannot be looked at without something going wrong. */
export const HOSTILE: readonly (readonly [string, unknown])[] = [
  ["a revoked proxy", revoked({})],
  ["a revoked proxy of an error", revoked(new Error("x"))],
  ["a revoked proxy of a function", revoked(() => 1)],
  [
    "a proxy whose traps throw",
    new Proxy({}, { get: boom, getPrototypeOf: boom, ownKeys: boom, getOwnPropertyDescriptor: boom }),
  ],
  ["an error whose message throws", new Hostile()],
  ["an error whose name throws", Object.defineProperty(new Error("x"), "name", { get: boom })],
  ["an error whose stack throws", Object.defineProperty(new Error("x"), "stack", { get: boom })],
  ["an error whose message is an object", Object.assign(new Error("x"), { message: evilText })],
  ["an error whose name is an object", Object.assign(new Error("x"), { name: evilText })],
  ["an object whose getter throws", Object.defineProperty({}, "a", { get: boom, enumerable: true })],
  ["an object whose toJSON throws", { toJSON: boom }],
  ["an object in a loop", loop()],
  ["a bigint inside", { a: 1n }],
];

function loop(): object {
  const value: Record<string, unknown> = {};
  value["self"] = value;
  return value;
}
