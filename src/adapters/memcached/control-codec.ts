import { ownMembers } from "../../task/own-members.ts";
import { MOST_SWEEP_SECONDS } from "./control.ts";
import type { BlockMark, Control, ListRef, Stake, SweepStake, TaskStake } from "./control.ts";
import { encodeGone, readGone, roomForGone } from "./gone-members.ts";

// Any change: add 1, keep a reader for the old one, add a fixture.
const CONTROL_VERSION = 1;

// Few sizes, so that the reserve for it is of the same slab class; four times apart as it seldom grows.
const CONTROL_SIZES = [1, 4, 16, 64, 256, 1_000].map((kilobytes) => kilobytes * 1_024 - 200);
const LARGEST_SIZE = Math.max(...CONTROL_SIZES);

/** The size class of a control block's text that may grow by `room`. */
export const controlBytes = (text: string, room = 0): number =>
  CONTROL_SIZES.find((size) => text.length + room <= size) ?? Math.max(text.length, LARGEST_SIZE);

export function encodeControl(control: Control): string {
  const text = JSON.stringify({
    v: CONTROL_VERSION,
    e: control.epoch,
    segs: control.lists.map(encodeRef),
    off: control.offset,
    x: control.closing ? 1 : 0,
    cl: control.stakes.map(encodeStake),
    sw: control.sweptTo,
    dl: control.deadLists.map(encodeRef),
    lost: control.lost,
    ...(control.pausedUntilMs !== undefined && { p: encodePause(control.pausedUntilMs) }),
  });
  return text.padEnd(controlBytes(text, roomIn(control)));
}

/** What may still be written into the stakes while there is no memory. */
const roomIn = ({ stakes }: Control): number =>
  stakes.reduce(
    (sum, stake) => sum + (stake.kind === "tasks" ? roomForGone(stake.entries, stake.gone) : 0),
    0,
  );

const FOR_EVER = -1; // JSON has no Infinity
const LAST_PAUSE_MS = 8e15; // about the last moment that a Date can tell: what is later is shown to nobody
const MOST_EPOCH_LETTERS = 20; // a key may have 250 bytes, and the longest name in the longest queue's takes 221
const encodePause = (ms: number): number => (ms === Infinity ? FOR_EVER : ms);
const encodeRef = ({ name, tasks }: ListRef): unknown => [name, tasks];

function encodeStake(stake: Stake): unknown {
  const claimed = { c: stake.id, o: stake.owner, g: stake.generation };
  switch (stake.kind) {
    case "tasks":
      return {
        ...claimed,
        i: stake.entries,
        m: stake.loose,
        ...(stake.suspectsTo && { u: [stake.suspectsTo.entry, stake.suspectsTo.member] }),
        ...(stake.marks && { k: stake.marks.map((mark) => [mark.entry, mark.member, mark.attempts]) }),
        ...(stake.gone && { d: encodeGone(stake.gone) }),
      };
    case "putBack":
      return { ...claimed, i: stake.entries, pb: 1 };
    case "sweep":
      return { ...claimed, s: [stake.from, stake.to] };
    case "purge":
      return { ...claimed, p: stake.lists.map(({ name, from }) => [name, from]) };
  }
}

/** What the bytes of a control block are. Never throws. */
export type DecodedControl =
  { readonly kind: "control"; readonly control: Control } | { readonly kind: "newer" | "broken" };

export function decodeControl(bytes: Buffer): DecodedControl {
  let block: unknown;
  try {
    block = JSON.parse(bytes.toString("utf8"));
  } catch {
    return { kind: "broken" };
  }
  if (!isObject(block)) return { kind: "broken" };
  ownMembers(block);
  if (isCount(block["v"]) && block["v"] > CONTROL_VERSION) return { kind: "newer" };
  const control = readControl(block);
  return control === undefined ? { kind: "broken" } : { kind: "control", control };
}

function readControl(block: Fields): Control | undefined {
  const lists = readLists(block["segs"]);
  const deadLists = readLists(block["dl"]);
  const stakes = readAll(block["cl"], readStake);
  if (!isWhole(block) || lists === undefined || deadLists === undefined || stakes === undefined)
    return undefined;
  const pausedUntilMs = readPause(block["p"]);
  return {
    epoch: block["e"],
    lists,
    offset: block["off"],
    closing: block["x"] === 1,
    stakes,
    sweptTo: block["sw"],
    deadLists,
    lost: block["lost"],
    ...(pausedUntilMs !== undefined && { pausedUntilMs }),
  };
}

interface Whole extends Fields {
  readonly e: string;
  readonly off: number;
  readonly sw: number;
  readonly lost: number;
}

const isWhole = (block: Fields): block is Whole =>
  block["v"] === CONTROL_VERSION &&
  isWord(block["e"]) &&
  block["e"].length <= MOST_EPOCH_LETTERS &&
  [block["off"], block["sw"], block["lost"]].every(isCount);

function readLists(value: unknown): readonly ListRef[] | undefined {
  const lists = readAll(value, readRef);
  return lists?.length === 0 ? undefined : lists;
}

function readPause(value: unknown): number | undefined {
  if (value === FOR_EVER) return Infinity;
  if (!isCount(value)) return undefined;
  return value > LAST_PAUSE_MS ? Infinity : value;
}

function readRef(value: unknown): ListRef | undefined {
  if (!Array.isArray(value)) return undefined;
  const [name, tasks] = value as unknown[];
  return isWord(name) && isCount(tasks) ? { name, tasks } : undefined;
}

function readStake(value: unknown): Stake | undefined {
  if (!isObject(value)) return undefined;
  ownMembers(value);
  if (!isClaimed(value)) return undefined;
  const claimed = { id: value.c, owner: value.o, generation: value.g };
  const sweep = readPair(value["s"]);
  if (sweep !== undefined) return { kind: "sweep", ...claimed, ...sweptBy(sweep) };
  const lists = readAll(value["p"], readRef);
  if (lists !== undefined) {
    return { kind: "purge", ...claimed, lists: lists.map(({ name, tasks }) => ({ name, from: tasks })) };
  }
  const entries = readAll(value["i"], readText);
  if (entries === undefined) return undefined;
  if (value["pb"] === 1) return { kind: "putBack", ...claimed, entries };
  return { kind: "tasks", ...claimed, entries, ...readStarts(value) };
}

/** No more than anybody claims: who releases it reads the bucket of every minute. */
const sweptBy = ([from, to]: readonly [number, number]): Pick<SweepStake, "from" | "to"> => ({
  from: Math.max(from, to - MOST_SWEEP_SECONDS),
  to,
});

interface Claimed extends Fields {
  readonly c: string;
  readonly o: string;
  readonly g: number;
}

const isClaimed = (value: Fields): value is Claimed =>
  isWord(value["c"]) && (value["o"] === "" || isWord(value["o"])) && isCount(value["g"]);

function readStarts(value: Fields): Pick<TaskStake, "loose" | "suspectsTo" | "marks" | "gone"> {
  const place = readPair(value["u"]);
  const marks = readAll(value["k"] ?? [], readMark) ?? [];
  const gone = readAll(value["d"] ?? [], readGone) ?? [];
  return {
    loose: isCount(value["m"]) ? value["m"] : 0,
    ...(place && { suspectsTo: { entry: place[0], member: place[1] } }),
    ...(marks.length > 0 && { marks }),
    ...(gone.length > 0 && { gone }),
  };
}

function readMark(value: unknown): BlockMark | undefined {
  if (!Array.isArray(value)) return undefined;
  const [entry, member, attempts] = value as unknown[];
  return isCount(entry) && isCount(member) && isCount(attempts) ? { entry, member, attempts } : undefined;
}

function readPair(value: unknown): readonly [number, number] | undefined {
  if (!Array.isArray(value)) return undefined;
  const [one, other] = value as unknown[];
  return isCount(one) && isCount(other) ? [one, other] : undefined;
}

function readAll<T>(value: unknown, read: (item: unknown) => T | undefined): readonly T[] | undefined {
  if (!Array.isArray(value)) return undefined;
  const items = value.map(read);
  return items.includes(undefined) ? undefined : (items as readonly T[]);
}

type Fields = Readonly<Record<string, unknown>>;
const WORD = /^[0-9A-Za-z]{1,40}$/;
const isWord = (value: unknown): value is string => typeof value === "string" && WORD.test(value);
const readText = (value: unknown): string | undefined => (typeof value === "string" ? value : undefined);
const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
const isObject = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value);
