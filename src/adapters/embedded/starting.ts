import type { Claim, Started, StartOptions } from "../../ports/broker.ts";
import { leaveRanges } from "./held-ranges.ts";
import { leaseFrom, prolong } from "./holder.ts";
import type { Holding, Owner, Tenure } from "./owner.ts";
import { STATE } from "./schema.ts";
import type { StoredQueue } from "./stored-queue.ts";

/**
 * Charges an attempt, and with it one that was presumed, until it ends in an ordinary way: in the owner's journal, which takes a microsecond, or in the database where the charge
 * must outlive more than this process, or where the lease has ended and the store must say whose the task is.
 */
export function start(
  queue: StoredQueue,
  owner: Owner,
  { claim, options }: { readonly claim: Claim; readonly options: StartOptions },
): Started | Promise<Started> {
  const holding = owner.holding(claim);
  const { tenure } = owner;
  if (holding === undefined || tenure === undefined) return "lost";
  if (holding.started) return "started";
  const inTime = queue.clock.now() < tenure.leaseEndsAt;
  const isLonger = owner.mayTake(options.timeoutMs ?? 0);
  if (inTime && !isLonger && !options.last && !claim.alone && owner.noteStart(holding)) return "started";
  return startOnRecord(queue, owner, { holding, tenure });
}

async function startOnRecord(
  { connection, clock }: StoredQueue,
  owner: Owner,
  { holding, tenure }: { readonly holding: Holding; readonly tenure: Tenure },
): Promise<Started> {
  const renewed = await connection.write("synced", () => {
    const lease = leaseFrom(clock.now(), owner);
    if (!prolong(connection, tenure.holder, lease)) return undefined;
    leaveRanges(connection, tenure.holder, [holding.row]);
    connection.run(
      `UPDATE task SET attempts = attempts + 1 + presumed, started = 1 + presumed, presumed = 0,
         claims = claims + (holder IS NULL), state = ?, holder = ? WHERE id = ? AND (holder = ? OR holder IS NULL) AND started = 0`,
      STATE.running,
      tenure.holder,
      holding.row,
      tenure.holder,
    );
    return { holder: tenure.holder, leaseEndsAt: lease.endsAt };
  });
  if (renewed === undefined) {
    owner.lose();
    return "lost";
  }
  owner.renewed(renewed);
  holding.started = true;
  return "started";
}
