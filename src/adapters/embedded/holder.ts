import { join } from "node:path";
import type { ProcessIdentity } from "../../host/process-identity.ts";
import { LEASE_MS } from "../../ports/broker.ts";
import type { Connection } from "./connection.ts";
import type { StoredQueue } from "./stored-queue.ts";

// A century: with any timeout that was written down, the sum stays a number that the store can keep.
const LONGEST_BLOCKED_MS = 100 * 365 * 24 * 3_600_000;

/** Until when an owner holds what it holds, in ms. */
export interface Lease {
  readonly endsAt: number;
  /** How long a process that is seen to live may be too busy to renew. */
  readonly blockedUntil: number;
  /** The same on the clock of the owner's host that nobody sets. */
  readonly blockedUntilUp: number;
}

/** What an owner's lease depends on. */
interface Lessee {
  readonly blockedMs: number;
  readonly processes: { upMs(): number };
}

/** A lease from now on. */
export function leaseFrom(nowMs: number, owner: Lessee): Lease {
  const blockedMs = Math.min(Math.ceil(Math.max(LEASE_MS, owner.blockedMs)), LONGEST_BLOCKED_MS);
  return {
    endsAt: nowMs + LEASE_MS,
    blockedUntil: nowMs + blockedMs,
    blockedUntilUp: owner.processes.upMs() + blockedMs,
  };
}

/** Where an owner notes its starts. Its number is never used again, nor is the store's prefix. */
export const flightsPath = ({ folder, prefix }: Connection, holder: number): string =>
  join(folder.flights, `${prefix}-${String(holder)}`);

export function addHolder(queue: StoredQueue, who: ProcessIdentity, lease: Lease): number {
  const row = queue.connection.get(
    `INSERT INTO holder(queue, host, realm, pid, started_at, lease_ends_at, blocked_until, blocked_until_up)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?) RETURNING id`,
    queue.number(),
    who.host,
    who.realm,
    who.pid,
    who.startedAt,
    lease.endsAt,
    lease.blockedUntil,
    lease.blockedUntilUp,
  );
  return (row as { id: number }).id;
}

/** False: others have taken over, and it holds nothing any more. */
export const isOnRecord = (connection: Connection, holder: number): boolean =>
  connection.get("SELECT 1 FROM holder WHERE id = ?", holder) !== undefined;

/** False: others have taken over, and it holds nothing any more. */
export const prolong = (connection: Connection, holder: number, lease: Lease): boolean =>
  connection.run(
    "UPDATE holder SET lease_ends_at = ?, blocked_until = ?, blocked_until_up = ? WHERE id = ?",
    lease.endsAt,
    lease.blockedUntil,
    lease.blockedUntilUp,
    holder,
  ) > 0;

export const removeHolder = (connection: Connection, holder: number): number =>
  connection.run("DELETE FROM holder WHERE id = ?", holder);
