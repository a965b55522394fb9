import type { Claim } from "../../ports/broker.ts";
import { dropRanges, leaveRanges } from "./held-ranges.ts";
import { isOnRecord, removeHolder } from "./holder.ts";
import type { Holding, Owner } from "./owner.ts";
import { sweepResults } from "./results.ts";
import { STATE } from "./schema.ts";
import type { StoredQueue } from "./stored-queue.ts";

/** Hands claims back uncharged, to their old place. Answers whether there was anything. */
export async function release(queue: StoredQueue, owner: Owner, claims: readonly Claim[]): Promise<boolean> {
  const { tenure } = owner;
  const holdings = claims.map((claim) => owner.holding(claim)).filter((holding) => holding !== undefined);
  if (tenure === undefined || holdings.length === 0) return false;
  const stillHeld = await queue.connection.write("relaxed", () => {
    if (!isOnRecord(queue.connection, tenure.holder)) return false;
    handBackStarted(queue, tenure.holder, holdings);
    const rest = holdings.filter(({ started }) => !started).map(({ row }) => row);
    leaveRanges(queue.connection, tenure.holder, rest);
    const count = queue.connection.run(
      `UPDATE task SET state = ?, holder = NULL, claims = claims + (holder IS NULL)
       WHERE id IN (SELECT value FROM json_each(?)) AND (holder = ? OR holder IS NULL)`,
      STATE.waiting,
      JSON.stringify(rest),
      tenure.holder,
    );
    queue.count({ running: -count, waiting: count });
    return true;
  });
  if (stillHeld) for (const claim of claims) owner.drop(claim);
  else owner.lose();
  return stillHeld;
}

/** Hands everything back and takes the owner off the record. Answers whether there was anything. */
export async function leave(queue: StoredQueue, owner: Owner): Promise<boolean> {
  const { tenure } = owner;
  if (tenure === undefined) return false;
  const count = await queue.connection.write("relaxed", () => {
    if (!isOnRecord(queue.connection, tenure.holder)) return 0;
    const started = handBackStarted(queue, tenure.holder, owner.holdings);
    const inRanges = dropRanges(queue.connection, tenure.holder);
    const rest =
      inRanges +
      queue.connection.run(
        "UPDATE task SET state = ?, holder = NULL WHERE holder = ? AND state = ?",
        STATE.waiting,
        tenure.holder,
        STATE.running,
      );
    queue.count({ running: -rest, waiting: rest });
    removeHolder(queue.connection, tenure.holder);
    sweepResults(queue, queue.clock.now());
    return started + rest;
  });
  owner.lose();
  return count > 0;
}

/** What was started has shown that it ends nobody; what was not stays as suspect as it was. */
function handBackStarted(queue: StoredQueue, holder: number, holdings: readonly Holding[]): number {
  const started = holdings.filter((holding) => holding.started).map(({ row }) => row);
  if (started.length === 0) return 0;
  leaveRanges(queue.connection, holder, started);
  const count = queue.connection.run(
    `UPDATE task SET state = ?, holder = NULL, suspect = 0, attempts = attempts - started, started = 0,
       claims = claims + (holder IS NULL)
     WHERE id IN (SELECT value FROM json_each(?)) AND (holder = ? OR holder IS NULL)`,
    STATE.waiting,
    JSON.stringify(started),
    holder,
  );
  queue.count({ running: -count, waiting: count });
  return count;
}
