import type { Progress, TaskResult } from "../task/result.ts";
import type { Task } from "../task/task.ts";

/**
 * What became of tasks, for those who asked for it: a result is recorded together with the task's end, or not at
 * all, and stays as long as it was to be kept. A dead letter is its own result. What is not kept any more, or never
 * was, is as if nobody had asked.
 */
export interface Results {
  /** How the task has ended. Undefined: it has not, or nothing is known of it. */
  find(id: string): Promise<TaskResult | undefined>;
  /**
   * Those of the tasks that have ended, as soon as there is one; none at `untilMs`, or when `signal` is aborted. On
   * the host where a task ends its end is known at once, elsewhere it takes up to a second.
   */
  wait(ids: readonly string[], untilMs: number, signal: AbortSignal): Promise<readonly TaskEnd[]>;
  /** Notes how far a started task says it is. Of a task that this owner no longer holds nothing is noted. */
  report(claim: Started, progress: Progress): Promise<void>;
  /** How far running tasks say they are; those that say nothing are left out. */
  progress(ids: readonly string[]): Promise<ReadonlyMap<string, Progress>>;
}

/** A claim, as far as it is to be told from others. */
interface Started {
  readonly task: Task;
  readonly receipt: string;
  readonly attempt: number;
}

/** "gone": the task is not there any more and has left no result; it was cancelled, purged or lost, or nothing was kept. */
export type TaskEnd = TaskResult | { readonly kind: "gone"; readonly id: string };

/** To be kept of a task that is done. */
export interface Keep {
  /** From now on, in ms. */
  readonly forMs: number;
  /** By `encodeResult`. */
  readonly text: string;
}

/** Names what a result is sealed as: nothing that is signed as a task passes for one. */
export const sealName = (id: string): string => `result:${id}`;
