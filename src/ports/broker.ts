import type { Draft, Task, TaskRecord, TaskState } from "../task/task.ts";
import type { Outcome } from "../task/outcome.ts";
import type { Bulks } from "./bulks.ts";
import type { Notes } from "./notes.ts";
import type { Published } from "./published.ts";
import type { Keep, Results } from "./results.ts";

export type { Published } from "./published.ts";

/**
 * A broker keeps the tasks of one queue, for one owner: the run, worker or command that opened it.
 * These are the promises the core relies on; test/contract is their executable text.
 *
 * - What `publish` answers as kept is kept as the broker's durability says, and runs at least once.
 * - A task is held by at most one living owner at a time. Owners that die, and owners that stall past
 *   their lease, lose what they hold: another owner may claim it, and their late `settle` is refused.
 * - An attempt is charged when a task is started, not when it is claimed.
 * - What a dead owner had started is handed out one at a time (`Claim.alone`); what it had claimed and
 *   not started is handed out uncharged.
 * - Everything is bounded: a batch, a claim, a page.
 * - Nothing of the driver comes out: every rejection is a MemqError.
 */
export interface Broker {
  readonly queue: string;
  readonly capabilities: Capabilities;
  /** What the owners of this queue tell each other besides tasks. */
  readonly notes: Notes;
  /** Bulks that can be gone on with and waited for. */
  readonly bulks: Bulks;
  /** How tasks have ended, and how far those are that run. */
  readonly results: Results;

  /**
   * Keeps each draft, in order, and answers item by item. Resolves only when every "kept" one is kept;
   * rejects only when it cannot know, or can do nothing (unreachable, unusable store).
   */
  publish(drafts: readonly Draft[]): Promise<readonly Published[]>;

  /** Takes up to `limit` due tasks that nobody else holds, oldest first. */
  claim(request: ClaimRequest): Promise<Claimed>;

  /**
   * The same while this owner is busy with what it has in hand, for brokers that are asked over a wire: what can be had
   * by one question and its answer. Nothing: ask `claim` when the hands are empty. Absent: nothing would be gained.
   */
  claimAhead?(request: ClaimRequest): Promise<ClaimedAhead>;

  /**
   * Charges the attempt. To be called right before the handler is; "lost" and "cancelled" mean: do not run it.
   * A promise only where the broker must write first.
   */
  start(claim: Claim, options: StartOptions): Started | Promise<Started>;

  /** Ends claims, in order: done leaves nothing but what is to be kept, retry waits until `at`, dead becomes a dead letter. */
  settle(settlements: readonly Settlement[]): Promise<readonly Settled[]>;

  /** Hands claims back uncharged, to be claimed again by anyone at once and in their old order. */
  release(claims: readonly Claim[]): Promise<void>;

  /** Prolongs the lease of everything this owner holds by `LEASE_MS` from now. */
  renew(): Promise<void>;

  /** Stops claims of all owners until `untilMs`; undefined = until `resume`. */
  pause(untilMs?: number): Promise<void>;
  resume(): Promise<void>;

  /** Cheap whatever the length of the queue. */
  depth(): Promise<Depth>;
  /** A page of the tasks in one state, oldest (delayed: soonest) first; consumes nothing. */
  list(state: TaskState, page: PageRequest): Promise<Page>;
  find(id: string): Promise<TaskRecord | undefined>;
  findKey(key: string): Promise<TaskRecord | undefined>;
  /** Puts dead letters back as waiting with fresh attempts; answers how many. */
  putBack(ids: readonly string[] | "all"): Promise<number>;
  /**
   * Removes a task that is not running. "cancelled": nobody starts it any more, and its key is free again.
   * "running": somebody had claimed it, and goes on as if nothing had been asked.
   */
  cancel(id: string): Promise<Cancelled>;
  /** Removes every task in the given states (never running ones); answers how many. */
  purge(states: readonly TaskState[]): Promise<number>;

  /** Losses found out since the last call on this host: each is reported once. `keep`: and will be again. */
  losses(how?: { readonly keep?: boolean }): Promise<readonly Loss[]>;

  /** Resolves when a task may have become claimable, at `untilMs`, or when `signal` is aborted. */
  wait(untilMs: number, signal: AbortSignal): Promise<void>;

  /**
   * Hands back what is still held and leaves. What was not started goes back uncharged, to its old place. What
   * was started comes back too; whether it stays charged, and is handed out alone, is left to the adapter:
   * who cares settles or releases it before.
   */
  close(): Promise<void>;
}

/** What an adapter can do; the core asks here and never finds out by failing. */
export interface Capabilities {
  /** What survives: "disk" a power cut, "memory" nothing but the server's own life. */
  readonly durability: "disk" | "memory";
  readonly delay: boolean;
  readonly keys: boolean;
  readonly list: boolean;
  /** The most drafts in one publish. Default MAX_BATCH; more where each publish waits for a disk. */
  readonly publishLimit?: number;
  /** It may keep several tasks in one piece, as many as their pace allows: runs leave it a note. */
  readonly bundles?: boolean;
}

/** How long an owner may hold tasks without renewing. Owners renew three times as often. */
export const LEASE_MS = 30_000;

/** What surrounds a handler's time, in ms: it may begin late in a lease, and its outcome has to be written on a busy machine. */
export const SURROUNDINGS_MS = 60_000;

/** The most tasks in one call of publish (but `publishLimit`), claim or settle. Adapters may count on it. */
export const MAX_BATCH = 1_000;

export interface ClaimRequest {
  readonly limit: number;
  /** How many claims this owner runs at the same time: bounds what it may have started when it dies. */
  readonly atOnce: number;
  /** Asked now and then while nothing is found: true ends the search. Default: it goes on to the end. */
  readonly isEnough?: () => boolean;
}

/** A task held by this owner. */
export interface Claim {
  readonly task: Task;
  readonly receipt: string;
  /** Which attempt starting it will be, from 1. */
  readonly attempt: number;
  /** It may have ended its last holder: run it with nothing else held, and settle it at once. */
  readonly alone: boolean;
  /** `askedFrom` of its last retry. */
  readonly askedFrom?: number;
  /** The attempt before this one is presumed: the broker cannot tell whether its last holder had started it. */
  readonly presumed?: true;
}

/** `idle` is there exactly when `claims` is empty: it says why. */
export interface Claimed {
  readonly claims: readonly Claim[];
  readonly idle?: Idle;
  readonly findings: readonly Finding[];
}

/** What was claimed ahead of need, and what was met on the way: nobody may claim after it. */
export type ClaimedAhead = Omit<Claimed, "idle">;

/** Why nothing could be claimed; the runner acts differently on each. */
export type Idle =
  | { readonly kind: "empty" }
  | { readonly kind: "paused"; readonly untilMs?: number }
  | { readonly kind: "held"; readonly count: number; readonly nextDueAt?: number }
  | { readonly kind: "due"; readonly at: number };

/** What a broker met on its way to a claim, or a run with it, to be counted and said. */
export type Finding =
  | { readonly kind: "buried"; readonly id: string; readonly reason: string }
  | { readonly kind: "newer"; readonly id: string }
  /** It is done, and its result was to be kept, but there was no room for it. */
  | { readonly kind: "unkept"; readonly id: string }
  | { readonly kind: "missing"; readonly count: number };

export interface StartOptions {
  /** No attempt would be left after this one: the charge must be on record before the handler is called. */
  readonly last: boolean;
  /** How long the attempt may take, in ms, where it is known: a handler may block its process for all of it. */
  readonly timeoutMs?: number;
}

export type Started = "started" | "lost" | "cancelled";

export interface Settlement {
  readonly claim: Claim;
  readonly outcome: Outcome;
  /** Where the task is done; undefined: nothing is kept of it. */
  readonly keep?: Keep;
}

/**
 * "lost": the lease had ended, and another owner has or had the task; this outcome was not recorded. "unkept": it is
 * settled, but what was to be kept of it found no room, or only without its value.
 */
export type Settled = "settled" | "lost" | "unkept";

export interface Depth {
  readonly waiting: number;
  readonly delayed: number;
  readonly running: number;
  readonly dead: number;
  /** When the oldest waiting task was published or fell due, in ms. */
  readonly oldestWaitingAt?: number;
  readonly nextDueAt?: number;
  /** Infinity = until resumed. */
  readonly pausedUntil?: number;
}

export interface PageRequest {
  readonly limit: number;
  /** `next` of the page before. */
  readonly after?: string;
}

export interface Page {
  readonly tasks: readonly TaskRecord[];
  readonly next?: string;
}

export type Cancelled = "cancelled" | "running" | "absent";

/** Tasks that the broker had accepted and no longer has. */
export interface Loss {
  readonly at: number;
  readonly cause: "restart" | "flush" | "eviction" | "unknown";
  /** Undefined = unknown. */
  readonly atLeast?: number;
}
