import type { Depth } from "../ports/broker.ts";
import { formatDuration } from "../task/duration.ts";

/** From when on a queue is worth a warning; what is absent never is. */
export interface Thresholds {
  /** This many tasks waiting. */
  readonly waiting?: number;
  /** The oldest waiting task is this old, in ms. */
  readonly oldestMs?: number;
}

/** A sentence for each limit that a queue has reached. */
export function warningsOf(depth: Depth, limits: Thresholds, nowMs: number): readonly string[] {
  const warnings: string[] = [];
  const { waiting, oldestWaitingAt } = depth;
  if (limits.waiting !== undefined && waiting >= limits.waiting) {
    warnings.push(`${String(waiting)} tasks wait (warn = ${String(limits.waiting)} waiting)`);
  }
  const oldestMs = oldestWaitingAt === undefined ? 0 : nowMs - oldestWaitingAt;
  if (limits.oldestMs !== undefined && oldestMs >= limits.oldestMs) {
    const limit = formatDuration(limits.oldestMs);
    warnings.push(`the oldest task waits for ${formatDuration(oldestMs)} (warn = ${limit} oldest)`);
  }
  return warnings;
}
