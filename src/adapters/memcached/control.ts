import type { GoneMembers } from "./gone-members.ts";

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
  /** How many tasks are known to have gone with what the server threw away; a list counts as one. */
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
export type Stake = TaskStake | PutBackStake | SweepStake | PurgeStake;

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
  /** Members of bundles that are not to be run any more, for which it had none either. */
  readonly gone?: readonly GoneMembers[];
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

/** What one sweep releases at most: seventy days of buckets, some seconds of reading. */
export const MOST_SWEEP_SECONDS = 70 * 86_400;

/** Buckets on their way into a waiting list: what is due after `from` and not after `to`, in seconds. */
export interface SweepStake extends Claimed {
  readonly kind: "sweep";
  readonly from: number;
  readonly to: number;
}

/** Waiting lists all of whose tasks are to go. */
export interface PurgeStake extends Claimed {
  readonly kind: "purge";
  readonly lists: readonly PurgedList[];
}

/** A list that is to go, from the byte on up to which it was claimed. */
export interface PurgedList {
  readonly name: string;
  readonly from: number;
}

/** A task in a stake: the index of its entry, and of the task in the record. */
export interface Place {
  readonly entry: number;
  readonly member: number;
}

/**
 * From where on the first list is not claimed, `bytes` long as it was found: all of it when it is shorter than what
 * was claimed. Lists only grow, so somebody else has put another item in its place.
 */
export const unclaimedFrom = ({ offset }: Pick<Control, "offset">, bytes: number): number =>
  offset > bytes ? 0 : offset;

/** The entries of a stake that names records. */
export const entriesOf = (stake: Stake): readonly string[] =>
  stake.kind === "tasks" || stake.kind === "putBack" ? stake.entries : [];

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
