import type { Effort } from "./effort.ts";

/** A run's work on one queue, and how it was done. */
export interface WorkSeen {
  readonly effort: Effort;
  /** Tasks that were run. */
  readonly tasks: number;
  /** Tasks at a time. */
  readonly concurrency: number;
}

// A short run is nobody's concern, and its figures are chance.
const LEAST_MS = 5_000;
// With fewer tasks for each at a time, some had nothing to do at the end.
const LEAST_ROUNDS = 4;
// A faster handler hardly waits for anything but its queue.
const LEAST_TASK_MS = 5;
// Who waits less would gain little.
const LEAST_WAITING = 0.8;
// A server that answers a few at once need not like all that would fit into the time.
const SHARE_TO_TRY = 0.4;
const TO_TRY = [2, 3, 5, 10, 20, 50, 100];

/**
 * `98 % of the time waiting: try concurrency = 20`, when handlers mostly waited for something outside this
 * process; undefined: more at a time would not help, or there is no telling.
 */
export function waitingHint({ effort, tasks, concurrency }: WorkSeen): string | undefined {
  if (effort.ms < LEAST_MS || tasks < LEAST_ROUNDS * concurrency) return undefined;
  if ((effort.ms * concurrency) / tasks < LEAST_TASK_MS) return undefined;
  const busy = Math.max(1 - effort.idleMs / effort.ms, 0.001);
  if (1 - busy < LEAST_WAITING) return undefined;
  const most = Math.round((SHARE_TO_TRY * concurrency) / busy);
  const toTry = TO_TRY.findLast((step) => step <= most);
  if (toTry === undefined || toTry <= concurrency) return undefined;
  return `${String(Math.floor((1 - busy) * 100))} % of the time waiting: try concurrency = ${String(toTry)}`;
}
