/**
 * What a task is: a method call that is kept until it has run.
 *
 *                       publish
 *        (delay, at)  /         \
 *             delayed            waiting <------------- put back ---------+
 *                 \  falls due  ^  |  ^                                   |
 *                  +-----------+   |  | lease ends, or the holder died    |
 *             ^                 claim |                                   |
 *             | retry(at)          v  |                                   |
 *             +---------------- running --- bury(reason) ------------> dead
 *                                  |
 *                                 done (nothing is left but its result, where that is kept)
 *
 * A claim holds a running task for one run; the lease of the claim ends by itself. A retry keeps
 * the task's id. Cancelling removes a task that is not running.
 */

/** A value that JSON carries without loss. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };

/** A method and what it is given. Without a class it goes to the queue's `classname`. */
export interface Call {
  readonly class?: string;
  readonly method: string;
  readonly args: readonly Json[];
}

/** A call and how it wants to be kept; what a broker publishes. Times are ms since 1970. */
export interface Draft extends Call {
  /** Not before this time, in ms. */
  readonly dueAt?: number;
  /** At most one unfinished task of a queue has this key. */
  readonly key?: string;
  /** What becomes of an unfinished, not running task with the same key. Default "keep". */
  readonly onDuplicate?: "keep" | "replace";
  /** Attempts after the first, instead of the queue's policy. */
  readonly retries?: number;
  /** For one attempt, in ms, instead of the queue's. */
  readonly timeoutMs?: number;
  /** Its result is kept for at least that long, in ms, even where the queue keeps none. */
  readonly resultMs?: number;
  /** What the queue's codec has made of it, by whoever had to know that it can be encoded; it is kept as it is. */
  readonly body?: string;
}

/** A kept call. It is never edited: attempts and receipts live on the claim around it. */
export interface Task extends Call {
  readonly id: string;
  readonly bornAt: number;
  readonly key?: string;
  readonly retries?: number;
  readonly timeoutMs?: number;
  readonly resultMs?: number;
}

/** Where a task is, for people. */
export type TaskState = "waiting" | "delayed" | "running" | "dead";
export const TASK_STATES: readonly TaskState[] = ["waiting", "delayed", "running", "dead"];

/** A task with where it is: what `memq show` and `memq list` print. */
export interface TaskRecord {
  readonly id: string;
  readonly state: TaskState;
  /** Undefined when the stored bytes are not a task, or a newer version's. */
  readonly task?: Task;
  /** Why the stored bytes are not a task. */
  readonly fault?: string;
  /** Attempts charged so far. */
  readonly attempts: number;
  /** waiting: since; delayed: due; running: lease end; dead: buried. In ms. */
  readonly at: number;
  /** What the last attempt said, or why it is dead. */
  readonly error?: string;
  /** Who holds a running task, e.g. `host:pid`; may be unknown of one whose lease has ended. */
  readonly holder?: string;
}
