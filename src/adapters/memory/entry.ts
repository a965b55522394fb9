import { LEASE_MS } from "../../ports/broker.ts";
import type { Codec } from "../../task/codec.ts";
import type { Outcome } from "../../task/outcome.ts";
import type { TaskRecord, TaskState } from "../../task/task.ts";

/** A kept task with where it is. Never edited: every step of its life makes a new one. */
export interface Entry {
  readonly id: string;
  /** Publish order. */
  readonly seq: number;
  readonly bornAt: number;
  /** The task as the codec sealed it. */
  readonly text: string;
  readonly key?: string;
  /** The name of its bulk. */
  readonly bulk?: string;
  /** When it began to wait; in the future: when it falls due. */
  readonly since: number;
  /** Attempts charged so far. */
  readonly attempts: number;
  /** It may have ended its last holder, and has not been seen to end well since. */
  readonly suspect: boolean;
  readonly hold?: Hold | undefined;
  readonly buriedAt?: number | undefined;
  readonly error?: string | undefined;
  /** Of its last retry. */
  readonly askedFrom?: number | undefined;
}

/** That an owner has claimed it. A hold whose lease has ended binds nobody, but is still known by its receipt. */
export interface Hold {
  readonly owner: string;
  readonly receipt: string;
  readonly leaseEndsAt: number;
  readonly started: boolean;
}

type Retry = Extract<Outcome, { readonly kind: "retry" }>;

// An error is for people; a whole dump would outweigh the task.
const MAX_ERROR_CHARS = 4_096;

/** Where it is at that time. An ended lease needs nobody to notice it. */
export function stateOf(entry: Entry, now: number): TaskState {
  if (entry.buriedAt !== undefined) return "dead";
  if (entry.hold !== undefined && entry.hold.leaseEndsAt > now) return "running";
  return entry.since > now ? "delayed" : "waiting";
}

/** To be handed out alone: a holder had started it and then died or stalled. */
export const isSuspect = (entry: Entry): boolean => entry.suspect || entry.hold?.started === true;

/** Position in a list: oldest first, of one age in publish order. */
export const positionOf = (entry: Entry): readonly [at: number, seq: number] => [
  entry.buriedAt ?? entry.since,
  entry.seq,
];

/** Compares two entries of one state. */
export function byPosition(one: Entry, other: Entry): number {
  const [at, seq] = positionOf(one);
  const [otherAt, otherSeq] = positionOf(other);
  return at - otherAt || seq - otherSeq;
}

/** What becomes of an entry: one function per arrow of the drawing in task/task.ts. */
export const becomes = {
  claimed: (
    entry: Entry,
    by: { readonly owner: string; readonly receipt: string; readonly now: number },
  ): Entry => ({
    ...entry,
    suspect: isSuspect(entry),
    hold: { owner: by.owner, receipt: by.receipt, leaseEndsAt: by.now + LEASE_MS, started: false },
  }),

  started: (entry: Entry, hold: Hold): Entry =>
    hold.started ? entry : { ...entry, attempts: entry.attempts + 1, hold: { ...hold, started: true } },

  leased: (entry: Entry, hold: Hold, leaseEndsAt: number): Entry => ({
    ...entry,
    hold: { ...hold, leaseEndsAt },
  }),

  /** Back where it was before the claim; a start is not charged, but has shown that it ends nobody. */
  released: (entry: Entry, hold: Hold): Entry =>
    hold.started
      ? { ...entry, hold: undefined, attempts: entry.attempts - 1, suspect: false }
      : { ...entry, hold: undefined },

  delayed: (entry: Entry, since: number, { error, askedFrom }: Retry): Entry => ({
    ...entry,
    hold: undefined,
    since,
    suspect: false,
    error: cut(error),
    askedFrom,
  }),

  buried: (entry: Entry, now: number, reason: string): Entry => ({
    ...entry,
    hold: undefined,
    suspect: false,
    buriedAt: now,
    error: cut(reason),
  }),

  putBack: (entry: Entry, now: number): Entry => ({
    ...entry,
    since: now,
    attempts: 0,
    buriedAt: undefined,
    error: undefined,
    askedFrom: undefined,
  }),
};

/** The entry as people see it. */
export function recordOf(entry: Entry, codec: Codec, now: number): TaskRecord {
  const decoded = codec.open(entry.id, entry.bornAt, entry.text);
  const state = stateOf(entry, now);
  const holder = state === "running" ? entry.hold : undefined;
  return {
    id: entry.id,
    state,
    ...(decoded.kind === "task" && { task: decoded.task }),
    ...(decoded.kind === "broken" && { fault: decoded.reason }),
    attempts: entry.attempts,
    at: holder?.leaseEndsAt ?? entry.buriedAt ?? entry.since,
    ...(entry.error !== undefined && { error: entry.error }),
    ...(holder !== undefined && { holder: holder.owner }),
  };
}

const cut = (text: string): string => text.slice(0, MAX_ERROR_CHARS);
