import type { Liveness, ProcessIdentity } from "../../host/process-identity.ts";
import type { Connection } from "./connection.ts";
import { readFlights, removeFlights, type Flight, type Stretch } from "./flight-journal.ts";
import { dropRanges } from "./held-ranges.ts";
import { flightsPath, removeHolder } from "./holder.ts";
import type { Owner } from "./owner.ts";
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
  /** The same on its host's clock that nobody sets; null: an older memq has written the row. */
  readonly blocked_until_up: number | null;
}

/** What time it is, in ms. */
export interface Times {
  readonly nowMs: number;
  /** On this host's clock that nobody sets. */
  readonly upMs: number;
}

/**
 * Whether what an owner holds may be taken: at once when it is dead; when its lease has ended, unless it is
 * seen to live and work, and a handler merely keeps it from renewing; that too has an end. Whoever sees it work
 * is on its host: no step of the wall clock makes it look gone.
 */
export function isGone(holder: HolderRow, liveness: Liveness, { nowMs, upMs }: Times): boolean {
  if (liveness === "dead") return true;
  if (liveness === "running" && holder.blocked_until_up !== null) return upMs >= holder.blocked_until_up;
  if (nowMs < holder.lease_ends_at) return false;
  return liveness !== "running" || nowMs >= holder.blocked_until;
}

/** Whether another owner is gone, and what it held can be had. */
export const hasGone = (queue: StoredQueue, owner: Owner, number: number): boolean =>
  goneHolders(queue, owner, number).length > 0;

/** Puts back what gone owners held; answers their numbers. Their journals are to be removed after the commit. */
export function takeOverFromGone(queue: StoredQueue, owner: Owner, number: number): readonly number[] {
  const gone = goneHolders(queue, owner, number).map(({ id }) => id);
  for (const holder of gone) takeOver(queue, holder);
  return gone;
}

/** The journals of owners that were taken over from are of no more use. */
export function forgetFlights(connection: Connection, holders: readonly number[]): void {
  for (const holder of holders) removeFlights(flightsPath(connection, holder));
}

/** The other owners of a queue on record that are gone. */
export function goneHolders(queue: StoredQueue, { processes, tenure }: Owner, number: number): HolderRow[] {
  const times = { nowMs: queue.clock.now(), upMs: processes.upMs() };
  return otherHolders(queue.connection, number, tenure?.holder).filter((holder) =>
    isGone(holder, processes.livenessOf(identityOf(holder)), times),
  );
}

/** The owners on record of a queue, without `self`. Few: one per run or worker. */
const otherHolders = (connection: Connection, queue: number, self: number | undefined): HolderRow[] =>
  connection.all(
    `SELECT id, host, realm, pid, started_at, lease_ends_at, blocked_until, blocked_until_up FROM holder
     WHERE queue = ? AND id <> ?`,
    queue,
    self ?? 0,
  ) as HolderRow[];

const identityOf = (row: HolderRow): ProcessIdentity => ({
  host: row.host,
  realm: row.realm,
  pid: row.pid,
  startedAt: row.started_at,
});

/**
 * Puts what an owner held back in its old place. What it had started is charged, and suspect: it may be what
 * ended its holder. What it may have started is suspect as well, and charged when it ends another. A journal that
 * cannot be read charges only what is on record.
 */
function takeOver(queue: StoredQueue, holder: number): void {
  const { connection } = queue;
  const flights = readFlights(flightsPath(connection, holder));
  charge(connection, holder, flights?.started ?? []);
  presume(connection, holder, flights?.maybe ?? []);
  const count = connection.run(
    `UPDATE task SET state = ?, suspect = max(suspect, min(started, 1)), started = 0, holder = NULL
     WHERE holder = ? AND state = ?`,
    STATE.waiting,
    holder,
    STATE.running,
  );
  const inRanges = dropRanges(connection, holder);
  removeHolder(connection, holder);
  queue.count({ running: -count - inRanges, waiting: count + inRanges });
}

// Of a row that was held in a range nothing else was written.
const IN_RANGE = "EXISTS (SELECT 1 FROM held_range WHERE holder = ?2 AND task.id BETWEEN first AND last)";

function charge(connection: Connection, holder: number, started: readonly Flight[]): void {
  if (started.length === 0) return;
  const flights = JSON.stringify(started.map(({ row, claimNumber }) => [row, claimNumber]));
  connection.run(
    `UPDATE task SET attempts = attempts + 1, started = 1 WHERE holder = ?2 AND state = 2 AND started = 0
     AND (id, claims) IN (SELECT value ->> 0, value ->> 1 FROM json_each(?1))`,
    flights,
    holder,
  );
  connection.run(
    `UPDATE task SET attempts = attempts + 1, claims = claims + 1, suspect = 1
     WHERE id IN (SELECT value ->> 0 FROM json_each(?1)) AND +state = 0
     AND (id, claims + 1) IN (SELECT value ->> 0, value ->> 1 FROM json_each(?1)) AND ${IN_RANGE}`,
    flights,
    holder,
  );
}

/** All of a stretch were claimed for the first time then: what was claimed since is none of it. */
function presume(connection: Connection, holder: number, maybe: readonly Stretch[]): void {
  if (maybe.length === 0) return;
  connection.run(
    `UPDATE task SET presumed = 1, suspect = 1, claims = claims + (state = 0)
     WHERE id IN (SELECT task.id FROM json_each(?1) AS stretch CROSS JOIN task
       ON task.id BETWEEN stretch.value ->> 0 AND stretch.value ->> 1)
     AND ((+holder = ?2 AND +state = 2 AND claims = 1 AND started = 0)
       OR (+state = 0 AND claims = 0 AND suspect = 0 AND ${IN_RANGE}))`,
    JSON.stringify(maybe.map(({ row, count }) => [row, row + count - 1])),
    holder,
  );
}
