import { describeError } from "../errors.ts";
import type { Outcome, Verb } from "../task/outcome.ts";
import type { Task } from "../task/task.ts";

/** How often and when a task is tried again. */
export interface RetryPolicy {
  /** Waits between attempts, in ms; the last one repeats. Empty: one attempt. */
  readonly waitsMs: readonly number[];
}

// Up to 10 % longer, never shorter than what was asked for: tasks that failed together come back spread out.
const JITTER_SHARE = 0.1;
// Waits shorter than this are meant to the point.
const MIN_JITTERED_MS = 1_000;

// Kept with the task for people to read; a whole dump would outweigh the task.
const MAX_ERROR_CHARS = 4_096;

/** The most attempts a task gets under a policy, its own `retries` counting before the policy's. */
export const maxAttempts = (task: Task, policy: RetryPolicy): number =>
  (task.retries ?? policy.waitsMs.length) + 1;

/** A failed attempt, as far as deciding about it goes. `jitter` is a dice throw in [0, 1). */
export interface Failure {
  readonly task: Task;
  readonly attempt: number;
  /** The attempt that first asked for a number of more runs, when an earlier one did. */
  readonly askedFrom?: number | undefined;
  readonly thrown: unknown;
  readonly verb: Exclude<Verb, { readonly kind: "pauseQueue" }> | undefined;
  readonly nowMs: number;
  readonly jitter: number;
}

/** Whether a failed task is tried again, and when. */
export function decide(failure: Failure, policy: RetryPolicy): Outcome {
  const error = describeError(failure.thrown).slice(0, MAX_ERROR_CHARS);
  if (failure.verb?.kind === "giveUp") return { kind: "dead", reason: error };
  const { attempt, nowMs } = failure;
  const times = failure.verb?.times;
  const askedFrom = failure.askedFrom ?? (times === undefined ? undefined : attempt);
  // That many more runs from when it was first said, whatever the policy says.
  const last = times === undefined ? maxAttempts(failure.task, policy) : (askedFrom ?? attempt) + times;
  if (attempt >= last) return { kind: "dead", reason: error };
  const at = nowMs + waitMs(failure, policy);
  return askedFrom === undefined ? { kind: "retry", at, error } : { kind: "retry", at, error, askedFrom };
}

function waitMs({ attempt, verb, jitter }: Failure, { waitsMs }: RetryPolicy): number {
  if (verb?.kind === "retryLater" && verb.delayMs !== undefined) return verb.delayMs;
  const wait = waitsMs[Math.min(attempt, waitsMs.length) - 1] ?? DEFAULT_WAIT_MS;
  return wait < MIN_JITTERED_MS ? wait : Math.round(wait * (1 + JITTER_SHARE * jitter));
}

// A task with retries of its own in a queue whose policy is none.
const DEFAULT_WAIT_MS = 10_000;
