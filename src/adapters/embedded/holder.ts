import { join } from "node:path";
import type { Liveness, ProcessIdentity } from "../../host/process-identity.ts";
import { LEASE_MS } from "../../ports/broker.ts";
import type { Connection } from "./connection.ts";
import { readFlights } from "./flight-journal.ts";
import { STATE } from "./schema.ts";
import type { StoredQueue } from "./stored-queue.ts";

/** An owner on record: one row for everything it holds, so that renewing is one write. */
export interface HolderRow {
  readonly id: number;
  readonly host: string;
  readonly realm: string;
  readonly pid: number;
  readonly started_at: string;
  readonly lease_ends_at: number;
  readonly blocked_until: number;
}

/** Until when an owner holds what it holds, in ms. */
export interface Lease {
  readonly endsAt: number;
  /** How long a process that is seen to live may be too busy to renew. */
  readonly blockedUntil: number;
}

export const leaseFrom = (nowMs: number, blockedMs: number): Lease => ({
  endsAt: nowMs + LEASE_MS,
  blockedUntil: nowMs + Math.max(LEASE_MS, blockedMs),
});

/**
 * Whether what an owner holds may be taken: at once when it is dead; when its lease has ended, unless it is
 * seen to live and work, and a handler merely keeps it from renewing; that too has an end.
 */
export function isGone(holder: HolderRow, liveness: Liveness, nowMs: number): boolean {
  if (liveness === "dead") return true;
  if (nowMs < holder.lease_ends_at) return false;
  return liveness !== "running" || nowMs >= holder.blocked_until;
}

/** Where an owner notes its starts. Its number is never used again, nor is the store's prefix. */
export const flightsPath = ({ folder, prefix }: Connection, holder: number): string =>
  join(folder.flights, `${prefix}-${String(holder)}`);

export function addHolder(queue: StoredQueue, who: ProcessIdentity, lease: Lease): number {
  const row = queue.connection.get(
    `INSERT INTO holder(queue, host, realm, pid, started_at, lease_ends_at, blocked_until)
     VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING id`,
    queue.number(),
    who.host,
    who.realm,
    who.pid,
    who.startedAt,
    lease.endsAt,
    lease.blockedUntil,
  );
  return (row as { id: number }).id;
}

/** False: others have taken over, and it holds nothing any more. */
export const isOnRecord = (connection: Connection, holder: number): boolean =>
  connection.get("SELECT 1 FROM holder WHERE id = ?", holder) !== undefined;

/** False: others have taken over, and it holds nothing any more. */
export const prolong = (connection: Connection, holder: number, lease: Lease): boolean =>
  connection.run(
    "UPDATE holder SET lease_ends_at = ?, blocked_until = ? WHERE id = ?",
    lease.endsAt,
    lease.blockedUntil,
    holder,
  ) > 0;

export const removeHolder = (connection: Connection, holder: number): number =>
  connection.run("DELETE FROM holder WHERE id = ?", holder);

/** The owners on record of a queue, without `self`. Few: one per run or worker. */
export const otherHolders = (connection: Connection, queue: number, self: number | undefined): HolderRow[] =>
  connection.all(
    `SELECT id, host, realm, pid, started_at, lease_ends_at, blocked_until FROM holder
     WHERE queue = ? AND id <> ?`,
    queue,
    self ?? 0,
  ) as HolderRow[];

export const identityOf = (row: HolderRow): ProcessIdentity => ({
  host: row.host,
  realm: row.realm,
  pid: row.pid,
  startedAt: row.started_at,
});

/**
 * Puts what an owner held back in its old place. What it had started is charged, and suspect: it may be what
 * ended its holder. A journal that cannot be read charges only what is on record.
 */
export function takeOver(queue: StoredQueue, holder: number): void {
  const { connection } = queue;
  const flights = readFlights(flightsPath(connection, holder)) ?? [];
  connection.run(
    `UPDATE task SET attempts = attempts + 1, started = 1 WHERE holder = ? AND state = ? AND started = 0
     AND (id, claims) IN (SELECT value ->> 0, value ->> 1 FROM json_each(?))`,
    holder,
    STATE.running,
    JSON.stringify(flights.map(({ row, claimNumber }) => [row, claimNumber])),
  );
  const count = connection.run(
    `UPDATE task SET state = ?, suspect = max(suspect, started), started = 0, holder = NULL
     WHERE holder = ? AND state = ?`,
    STATE.waiting,
    holder,
    STATE.running,
  );
  removeHolder(connection, holder);
  queue.count({ running: -count, waiting: count });
}
