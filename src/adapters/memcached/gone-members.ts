import { parseEntry } from "./entries.ts";

/** Members that have left a bundle whose record does not say so, as the server had no memory for it. */
export interface GoneMembers {
  /** Of the stake that says it. */
  readonly entry: number;
  readonly members: readonly number[];
}

const NONE: ReadonlySet<number> = new Set();

/** What a stake says of one of its entries. */
export function goneAt(gone: readonly GoneMembers[] | undefined, entry: number): ReadonlySet<number> {
  const said = gone?.find((one) => one.entry === entry);
  return said === undefined ? NONE : new Set(said.members);
}

/** With more members of an entry; the same when all of them are there. */
export function withGone(
  gone: readonly GoneMembers[] = [],
  entry: number,
  members: ReadonlySet<number>,
): readonly GoneMembers[] {
  const known = goneAt(gone, entry);
  if ([...members].every((member) => known.has(member))) return gone;
  const all = [...new Set([...known, ...members])].sort((one, other) => one - other);
  return [...gone.filter((one) => one.entry !== entry), { entry, members: all }];
}

/** `[entry, digits]`: a bit for each member, in hexadecimal digits, the first member the lowest. */
export const encodeGone = (gone: readonly GoneMembers[]): readonly (readonly [number, string])[] =>
  gone.map(({ entry, members }) => [entry, digitsOf(members)]);

const digitsOf = (members: readonly number[]): string =>
  members.reduce((bits, member) => bits | (1n << BigInt(member)), 0n).toString(16);

const MOST_DIGITS = 250; // of the thousand members that a record may have
const DIGITS = new RegExp(`^[0-9a-f]{1,${String(MOST_DIGITS)}}$`);

/** Undefined for anything else. */
export function readGone(value: unknown): GoneMembers | undefined {
  if (!Array.isArray(value)) return undefined;
  const [entry, digits] = value as unknown[];
  if (!Number.isSafeInteger(entry) || typeof digits !== "string" || !DIGITS.test(digits)) return undefined;
  return { entry: entry as number, members: membersIn(BigInt(`0x${digits}`)) };
}

function membersIn(bits: bigint): readonly number[] {
  const members: number[] = [];
  for (let member = 0; bits >> BigInt(member) > 0n; member++) {
    if ((bits >> BigInt(member)) & 1n) members.push(member);
  }
  return members;
}

/**
 * How many letters the block has to keep free, so that all that may still be said of the bundles among the entries
 * needs no larger one: a full server has no memory for that.
 */
export function roomForGone(entries: readonly string[], gone: readonly GoneMembers[] = []): number {
  let letters = 0;
  for (const [place, text] of entries.entries()) {
    if (!text.includes("~")) continue; // most are single tasks
    const members = parseEntry(text)?.members ?? 1;
    letters += `[${String(place)},""],`.length + Math.ceil(members / 4);
  }
  if (letters === 0) return 0;
  const said = gone.length === 0 ? 0 : `,"d":${JSON.stringify(encodeGone(gone))}`.length;
  return Math.max(0, letters + `,"d":[]`.length - said);
}
