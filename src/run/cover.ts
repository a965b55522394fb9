import type { Depth } from "../ports/broker.ts";
import type { BatchEnd } from "./batch.ts";

/** What is known when a run of a queue has nothing more to do. All times in ms since 1970. */
export interface Lull {
  readonly ended: BatchEnd;
  readonly depth: Depth;
  readonly nowMs: number;
  /** Cron's next tick: what is due from then on is the next run's. */
  readonly tickMs: number;
  /** When this run has to end; Infinity: no limit. */
  readonly endsAtMs: number;
}

/**
 * Until when a covering run waits; undefined: it ends. It waits only for what becomes runnable before the next
 * run comes, and before its own end.
 */
export function waitUntil(lull: Lull): number | undefined {
  const atMs = runnableAt(lull);
  if (atMs === undefined || atMs >= Math.min(lull.tickMs, lull.endsAtMs)) return undefined;
  return Math.max(atMs, lull.nowMs);
}

/** When something will be runnable, as far as can be foreseen; undefined: nothing to wait for. */
export function runnableAt({ ended, depth, nowMs }: Omit<Lull, "tickMs" | "endsAtMs">): number | undefined {
  switch (ended) {
    case "empty":
    case "due":
    case "held":
      return nextIn(depth, nowMs);
    case "paused":
      return afterPause(depth, nowMs);
    case "full":
      // Those who have the slots may be about to end, and have looked for the last time.
      return nextIn(depth, nowMs);
    case "max-time":
    case "max-tasks":
    case "max-memory":
    case "stopped":
      return undefined;
  }
}

const nextIn = ({ waiting, nextDueAt }: Depth, nowMs: number): number | undefined =>
  waiting > 0 ? nowMs : nextDueAt;

function afterPause(depth: Depth, nowMs: number): number | undefined {
  const at = nextIn(depth, nowMs);
  return at === undefined || depth.pausedUntil === undefined ? at : Math.max(at, depth.pausedUntil);
}
