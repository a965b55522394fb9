import type { Cancelled } from "../../ports/broker.ts";
import type { TaskState } from "../../task/task.ts";
import { countRemoved } from "./bulk-removals.ts";
import type { Durability } from "./connection.ts";
import { HELD_IN_RANGE } from "./held-ranges.ts";
import type { Owner } from "./owner.ts";
import { unfinishedWithKey } from "./publishing.ts";
import { FOR_EVER, STATE } from "./schema.ts";
import { counterOf } from "./selection.ts";
import type { Change, StoredQueue } from "./stored-queue.ts";
import { forgetFlights, takeOverFromGone } from "./succession.ts";

// One transaction's share of a great many tasks: the others get their turn in between.
const CHUNK_ROWS = 10_000;
const PUT_BACK_ROWS = 1_000;

// What people do by hand must not be forgotten.
const BY_HAND: Durability = "synced";

interface DeadRow {
  readonly id: number;
  readonly at: number;
  readonly key: string | null;
}

/** Stops claims until `untilMs`; undefined = until resumed. */
export function pause(queue: StoredQueue, untilMs: number | undefined): Promise<void> {
  const until = untilMs === undefined || untilMs > FOR_EVER ? FOR_EVER : Math.ceil(untilMs);
  return queue.connection.write(BY_HAND, () => {
    queue.connection.run("UPDATE queue SET paused_until = ? WHERE id = ?", until, queue.number());
  });
}

export function resume(queue: StoredQueue): Promise<void> {
  return queue.connection.write(BY_HAND, () => {
    queue.connection.run("UPDATE queue SET paused_until = NULL WHERE name = ?", queue.name);
  });
}

/** Puts dead letters back as waiting with fresh attempts; answers how many. */
export async function putBack(queue: StoredQueue, ids: readonly string[] | "all"): Promise<number> {
  if (ids === "all") return putBackAll(queue);
  const rows = [...new Set(ids)].map((id) => queue.ids.parse(id)).filter((row) => row !== undefined);
  let count = 0;
  for (let from = 0; from < rows.length; from += PUT_BACK_ROWS) {
    const chunk = JSON.stringify(rows.slice(from, from + PUT_BACK_ROWS));
    count += await queue.connection.write(BY_HAND, () => revive(queue, deadAmong(queue, chunk)));
  }
  return count;
}

async function putBackAll(queue: StoredQueue): Promise<number> {
  const untilMs = await latestPlace(queue, "state = 3");
  let count = 0;
  let last: DeadRow | undefined;
  do {
    const after = last;
    const revived = await queue.connection.write(BY_HAND, () => {
      const dead = deadAfter(queue, after, untilMs);
      return { count: revive(queue, dead), last: dead.at(-1) };
    });
    count += revived.count;
    last = revived.last;
  } while (last !== undefined);
  return count;
}

/**
 * Where tasks that are stored alike end: what comes in meanwhile stands behind that. It is later than now when the clock
 * was set back since they came.
 */
function latestPlace(queue: StoredQueue, stored: string): Promise<number> {
  return queue.connection.read(() => {
    const { at } = queue.connection.get(
      `SELECT max(at) AS at FROM task WHERE queue = ? AND ${stored}`,
      queue.row()?.id ?? 0,
    ) as { at: number | null };
    return Math.max(queue.clock.now(), at ?? 0);
  });
}

function deadAmong(queue: StoredQueue, rows: string): DeadRow[] {
  return queue.connection.all(
    `SELECT id, at, key FROM task WHERE id IN (SELECT value FROM json_each(?)) AND queue = ? AND state = ?
     ORDER BY at, id`,
    rows,
    queue.row()?.id ?? 0,
    STATE.dead,
  ) as DeadRow[];
}

/** The next dead letters in order; those buried later are left, so that this ends. */
function deadAfter(queue: StoredQueue, after: DeadRow | undefined, untilMs: number): DeadRow[] {
  return queue.connection.all(
    `SELECT id, at, key FROM task WHERE queue = ? AND state = 3 AND (at, id) > (?, ?) AND at <= ?
     ORDER BY at, id LIMIT ?`,
    queue.row()?.id ?? 0,
    after?.at ?? -1,
    after?.id ?? -1,
    untilMs,
    PUT_BACK_ROWS,
  ) as DeadRow[];
}

/** Those whose key is free; one whose key another task has by now stays a dead letter. */
function revive(queue: StoredQueue, dead: readonly DeadRow[]): number {
  const number = queue.row()?.id ?? 0;
  const taken = new Set<string>();
  const rows = dead.filter(({ key }) => {
    if (key === null) return true;
    if (taken.has(key) || unfinishedWithKey(queue, number, key) !== undefined) return false;
    taken.add(key);
    return true;
  });
  const count = queue.connection.run(
    `UPDATE task SET state = ?, at = ?, attempts = 0, error = NULL WHERE id IN (SELECT value FROM json_each(?))`,
    STATE.waiting,
    queue.clock.now(),
    JSON.stringify(rows.map(({ id }) => id)),
  );
  queue.count({ dead: -count, waiting: count });
  return count;
}

/** Removes a task that is not running; what a dead owner held is not running any more. */
export async function cancel(queue: StoredQueue, owner: Owner, id: string): Promise<Cancelled> {
  const row = queue.ids.parse(id);
  if (row === undefined) return "absent";
  const { answer, departed } = await queue.connection.write(BY_HAND, () => {
    const number = queue.row()?.id ?? 0;
    const gone = takeOverFromGone(queue, owner, number);
    return { answer: remove(queue, number, row), departed: gone };
  });
  forgetFlights(queue.connection, departed);
  return answer;
}

function remove(queue: StoredQueue, number: number, row: number): Cancelled {
  const found = queue.connection.get(
    `SELECT state, bulk, ${HELD_IN_RANGE} AS held FROM task WHERE id = ? AND queue = ?`,
    row,
    number,
  ) as { state: number; bulk: number | null; held: 0 | 1 } | undefined;
  if (found === undefined) return "absent";
  if (found.state === STATE.running || (found.state === STATE.waiting && found.held === 1)) return "running";
  queue.connection.run("DELETE FROM task WHERE id = ?", row);
  countRemoved(queue, [found.bulk]);
  queue.count(found.state === STATE.dead ? { dead: -1 } : { [counterOf(found.state)]: -1 });
  return "cancelled";
}

/** Tasks that are stored alike, and which of them by their time. */
interface Part {
  readonly stored: string;
  readonly counter: keyof Change;
  readonly which: "all" | "due" | "later";
}

/** What is stored in which state and counted by which counter; a due task waits, though it is stored as delayed. */
const STORED_AS: Readonly<Record<TaskState, readonly Part[]>> = {
  waiting: [
    { stored: `state = 0 AND suspect = 0 AND NOT ${HELD_IN_RANGE}`, counter: "waiting", which: "all" },
    { stored: "state = 0 AND suspect = 1", counter: "waiting", which: "all" },
    { stored: "state = 1", counter: "delayed", which: "due" },
  ],
  delayed: [{ stored: "state = 1", counter: "delayed", which: "later" }],
  running: [], // never removed under its holder
  dead: [{ stored: "state = 3", counter: "dead", which: "all" }],
};

/** Removes every task in the given states, in chunks; answers how many. What comes in meanwhile stays. */
export async function purge(queue: StoredQueue, states: readonly TaskState[]): Promise<number> {
  const nowMs = queue.clock.now();
  let count = 0;
  for (const part of [...new Set(states)].flatMap((state) => STORED_AS[state])) {
    const untilMs = part.which === "all" ? await latestPlace(queue, part.stored) : nowMs;
    let removed: number;
    do {
      removed = await queue.connection.write(BY_HAND, () => removeChunk(queue, part, untilMs));
      count += removed;
    } while (removed === CHUNK_ROWS);
  }
  return count;
}

function removeChunk(queue: StoredQueue, { stored, counter, which }: Part, untilMs: number): number {
  const within = which === "later" ? "at > ?" : "at <= ?";
  const gone = queue.connection.all(
    `DELETE FROM task WHERE id IN (SELECT id FROM task WHERE queue = ? AND ${stored} AND ${within} LIMIT ?)
     RETURNING bulk`,
    queue.row()?.id ?? 0,
    untilMs,
    CHUNK_ROWS,
  ) as { bulk: number | null }[];
  const count = gone.length;
  countRemoved(
    queue,
    gone.map(({ bulk }) => bulk),
  );
  if (count > 0) queue.count({ [counter]: -count });
  return count;
}
