/**
 * The control block of a queue: one small item, written only against the version that was read. It says which
 * lists there are, how far the first of them is claimed, and who has claimed what.
 */
export interface Control {
  /** Part of every name; another one means that the queue was lost and begun anew. */
  readonly epoch: string;
  /** The waiting lists, oldest first; never none. */
  readonly lists: readonly ListRef[];
  /** Up to where the first list is claimed, in bytes. */
  readonly offset: number;
  /** The first list is used up, and is to be deleted. */
  readonly closing: boolean;
  readonly stakes: readonly Stake[];
  /** Up to which second of the server's time delayed tasks were released: the queue's clock. */
  readonly sweptTo: number;
  /** The lists of dead letters; never none. */
  readonly deadLists: readonly ListRef[];
  /** How many tasks went with lists that vanished, as far as is known. */
  readonly lost: number;
  /** In ms of the server's time; Infinity: until resumed. */
  readonly pausedUntilMs?: number;
}

export interface ListRef {
  readonly name: string;
  /** Tasks in it when the next list was begun; 0 for the last one. A late publisher may have added some. */
  readonly tasks: number;
}

/** What an owner has claimed. "" as the owner: anybody may take it. */
export type Stake = TaskStake | PutBackStake | SweepStake;

interface Claimed {
  readonly id: string;
  readonly owner: string;
  /** Rises by one with each owner that took it over. */
  readonly generation: number;
}

/** Records out of a waiting list. */
export interface TaskStake extends Claimed {
  readonly kind: "tasks";
  /** As they stood in the list. */
  readonly entries: readonly string[];
  /** How many of the first tasks still there the first owner may have started without a mark. */
  readonly loose: number;
  /** Up to here the first owner may have started tasks: set when it is taken over. */
  readonly suspectsTo?: Place;
  /** Starts for which the server had no memory to mark the record. */
  readonly marks?: readonly BlockMark[];
}

/** A start that is on record in the block. */
export interface BlockMark extends Place {
  readonly attempts: number;
}

/** Dead letters on their way back into a waiting list. */
export interface PutBackStake extends Claimed {
  readonly kind: "putBack";
  readonly entries: readonly string[];
}

/** Buckets on their way into a waiting list: what is due after `from` and not after `to`, in seconds. */
export interface SweepStake extends Claimed {
  readonly kind: "sweep";
  readonly from: number;
  readonly to: number;
}

/** A task in a stake: the index of its entry, and of the task in the record. */
export interface Place {
  readonly entry: number;
  readonly member: number;
}

/** A block in which one stake is another, or gone. */
export const withStake = (control: Control, stake: Stake, next: readonly Stake[]): Control => ({
  ...control,
  stakes: control.stakes.flatMap((one) => (isSameStake(one, stake) ? next : [one])),
});

/** A stake in which the entries at some places are struck out; the same when they are already. */
export function struckOut(stake: TaskStake, places: ReadonlySet<number>): TaskStake {
  if (![...places].some((place) => stake.entries[place])) return stake;
  return { ...stake, entries: stake.entries.map((text, place) => (places.has(place) ? "" : text)) };
}

/** The stake as the block has it now; undefined: it is gone, or another owner's. */
export function currentStake<S extends Stake>(control: Control, stake: S): S | undefined {
  const found = control.stakes.find((one) => isSameStake(one, stake));
  return found?.kind === stake.kind ? (found as S) : undefined;
}

/** Whether it is that very claim: the same stake, not taken over since. */
export const isSameStake = (one: Stake, other: Stake): boolean =>
  one.id === other.id && one.owner === other.owner && one.generation === other.generation;

/** Who writes on behalf of a stake: another one after every take-over. */
export const writerOf = ({ id, generation }: Stake): string => `${id}.${String(generation)}`;

// Any change: add 1, keep a reader for the old one, add a fixture.
const CONTROL_VERSION = 1;

// Few sizes, so that the reserve for it is of the same slab class; four times apart as it seldom grows.
const CONTROL_SIZES = [1, 4, 16, 64, 256, 1_000].map((kilobytes) => kilobytes * 1_024 - 200);

/** The size class of a control block's text. */
export const controlBytes = (text: string): number =>
  CONTROL_SIZES.find((size) => text.length <= size) ?? text.length;

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
  return text.padEnd(controlBytes(text));
}

const FOR_EVER = -1; // JSON has no Infinity
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
      };
    case "putBack":
      return { ...claimed, i: stake.entries, pb: 1 };
    case "sweep":
      return { ...claimed, s: [stake.from, stake.to] };
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
  if (isCount(block["v"]) && block["v"] > CONTROL_VERSION) return { kind: "newer" };
  const control = readControl(block);
  return control === undefined ? { kind: "broken" } : { kind: "control", control };
}

function readControl(block: Fields): Control | undefined {
  const { e, off, sw, lost, x } = block as Record<"e" | "off" | "sw" | "lost" | "x", unknown>;
  const lists = readAll(block["segs"], readRef);
  const deadLists = readAll(block["dl"], readRef);
  const stakes = readAll(block["cl"], readStake);
  const isWhole = block["v"] === CONTROL_VERSION && isWord(e) && isCount(off) && isCount(sw) && isCount(lost);
  if (!isWhole || !lists?.length || !deadLists?.length || stakes === undefined) return undefined;
  const pausedUntilMs = readPause(block["p"]);
  return {
    epoch: e,
    lists,
    offset: off,
    closing: x === 1,
    stakes,
    sweptTo: sw,
    deadLists,
    lost,
    ...(pausedUntilMs !== undefined && { pausedUntilMs }),
  };
}

const readPause = (value: unknown): number | undefined =>
  value === FOR_EVER ? Infinity : isCount(value) ? value : undefined;

function readRef(value: unknown): ListRef | undefined {
  if (!Array.isArray(value)) return undefined;
  const [name, tasks] = value as unknown[];
  return isWord(name) && isCount(tasks) ? { name, tasks } : undefined;
}

function readStake(value: unknown): Stake | undefined {
  if (!isObject(value)) return undefined;
  const { c: id, o: owner, g: generation } = value as Record<"c" | "o" | "g", unknown>;
  if (!isWord(id) || !(owner === "" || isWord(owner)) || !isCount(generation)) return undefined;
  const claimed = { id, owner, generation };
  const sweep = readPair(value["s"]);
  if (sweep !== undefined) return { kind: "sweep", ...claimed, from: sweep[0], to: sweep[1] };
  const entries = readAll(value["i"], readText);
  if (entries === undefined) return undefined;
  if (value["pb"] === 1) return { kind: "putBack", ...claimed, entries };
  const place = readPair(value["u"]);
  const marks = readAll(value["k"] ?? [], readMark);
  return {
    kind: "tasks",
    ...claimed,
    entries,
    loose: isCount(value["m"]) ? value["m"] : 0,
    ...(place && { suspectsTo: { entry: place[0], member: place[1] } }),
    ...(marks?.length && { marks }),
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
