import type { Idle } from "../../ports/broker.ts";
import { countInRanges } from "./held-ranges.ts";
import type { Owner } from "./owner.ts";
import { FOR_EVER, STATE } from "./schema.ts";
import type { QueueRow, StoredQueue } from "./stored-queue.ts";

/** Until when a queue is paused; Infinity = until resumed; undefined = it is not. */
export function pausedUntil(row: QueueRow, nowMs: number): number | undefined {
  if (row.paused_until === null || row.paused_until <= nowMs) return undefined;
  return row.paused_until === FOR_EVER ? Infinity : row.paused_until;
}

export const pausedIdle = (untilMs: number): Idle =>
  untilMs === Infinity ? { kind: "paused" } : { kind: "paused", untilMs };

/** When the next delayed task of a queue falls due, in ms. */
export function nextDueAt({ connection }: StoredQueue, queue: number, nowMs: number): number | undefined {
  const row = connection.get(
    "SELECT min(at) AS at FROM task WHERE queue = ? AND state = ? AND at > ?",
    queue,
    STATE.delayed,
    nowMs,
  ) as { at: number | null };
  return row.at ?? undefined;
}

/** Why an owner that found nothing to take has nothing to take. */
export function idleReason(queue: StoredQueue, owner: Owner, nowMs: number): Idle {
  const row = queue.row();
  if (row === undefined) return { kind: "empty" };
  const next = nextDueAt(queue, row.id, nowMs);
  const count = row.running - heldBy(queue, owner) + (owner.heldCount > 0 ? suspectCount(queue, row.id) : 0);
  if (count > 0) return { kind: "held", count, ...(next !== undefined && { nextDueAt: next }) };
  return next === undefined ? { kind: "empty" } : { kind: "due", at: next };
}

function heldBy({ connection }: StoredQueue, { tenure }: Owner): number {
  if (tenure === undefined) return 0;
  const row = connection.get(
    "SELECT count(*) AS count FROM task WHERE holder = ? AND state = ?",
    tenure.holder,
    STATE.running,
  );
  return (row as { count: number }).count + countInRanges(connection, tenure.holder);
}

/** What this owner may not take while it holds anything. */
function suspectCount({ connection }: StoredQueue, queue: number): number {
  const row = connection.get(
    "SELECT count(*) AS count FROM task WHERE queue = ? AND state = 0 AND suspect = 1",
    queue,
  );
  return (row as { count: number }).count;
}
