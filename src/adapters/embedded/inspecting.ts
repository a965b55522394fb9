import type { Depth, Page, PageRequest } from "../../ports/broker.ts";
import { MemqError } from "../../errors.ts";
import { nameOf } from "../../host/process-identity.ts";
import type { TaskRecord, TaskState } from "../../task/task.ts";
import { HELD_IN_RANGE } from "./held-ranges.ts";
import { inFlight } from "./in-flight.ts";
import { nextDueAt, pausedUntil } from "./idle.ts";
import { STATE } from "./schema.ts";
import { merge } from "./selection.ts";
import type { Owner } from "./owner.ts";
import type { StoredQueue } from "./stored-queue.ts";
import { goneHolders } from "./succession.ts";
import { storedKey } from "./stored-text.ts";

/** A task as stored, with whoever holds it. */
interface StoredRow {
  readonly id: number;
  readonly state: number;
  readonly at: number;
  readonly born: number;
  readonly attempts: number;
  readonly claims: number;
  readonly started: number;
  readonly error: string | null;
  readonly body: string;
  readonly lease_ends_at: number | null;
  readonly holder: number | null;
  readonly host: string | null;
  readonly pid: number | null;
}

/** A queue, and who looks at it. */
interface Looking {
  readonly queue: StoredQueue;
  readonly owner: Owner;
}

// Of one page, whatever is asked for.
const MAX_PAGE = 1_000;

const COLUMNS = `task.id, state, at, born, attempts, claims, started, error, body, lease_ends_at,
  holder.id AS holder, host, pid`;
const SELECT = `SELECT ${COLUMNS}
  FROM task LEFT JOIN holder ON holder.id = coalesce(task.holder, (
    SELECT held_range.holder FROM held_range WHERE task.state = 0 AND held_range.queue = task.queue
    AND task.id BETWEEN held_range.first AND held_range.last))`;
const PAGE_OF = (condition: string): string =>
  `${SELECT} WHERE task.queue = ? AND ${condition} AND (at, task.id) > (?, ?) ORDER BY at, task.id LIMIT ?`;

const WAITING = PAGE_OF(`state = 0 AND suspect = 0 AND NOT ${HELD_IN_RANGE}`);
const SUSPECT = PAGE_OF("state = 0 AND suspect = 1");
const DUE = PAGE_OF("state = 1 AND at <= ?");
const DELAYED = PAGE_OF("state = 1 AND at > ?");
const DEAD = PAGE_OF("state = 3");
// Through the few holders there are: running tasks have no index of their own by queue.
const RUNNING = `SELECT ${COLUMNS}
  FROM holder CROSS JOIN task ON task.holder = holder.id
  WHERE holder.queue = ? AND state = 2 AND (at, task.id) > (?, ?) ORDER BY at, task.id LIMIT ?`;
const RUNNING_IN_RANGES = `SELECT ${COLUMNS}
  FROM held_range CROSS JOIN holder ON holder.id = held_range.holder
  CROSS JOIN task ON task.id BETWEEN held_range.first AND held_range.last
  WHERE held_range.queue = ? AND +state = 0 AND (at, task.id) > (?, ?) ORDER BY at, task.id LIMIT ?`;

const PLACE = /^(\d{1,15})\.(\d{1,15})$/;

/** The state of the queue in a few index look-ups, however long it is. */
export function depth(queue: StoredQueue): Promise<Depth> {
  return queue.connection.read(() => {
    const row = queue.row();
    if (row === undefined) return { waiting: 0, delayed: 0, running: 0, dead: 0 };
    const nowMs = queue.clock.now();
    const { count } = queue.connection.get(
      "SELECT count(*) AS count FROM task WHERE queue = ? AND state = 1 AND at <= ?",
      row.id,
      nowMs,
    ) as { count: number };
    const oldest = oldestWaitingAt(queue, row.id, nowMs);
    const next = nextDueAt(queue, row.id, nowMs);
    const paused = pausedUntil(row, nowMs);
    return {
      waiting: row.waiting + count,
      delayed: row.delayed - count,
      running: row.running,
      dead: row.dead,
      ...(oldest !== undefined && { oldestWaitingAt: oldest }),
      ...(next !== undefined && { nextDueAt: next }),
      ...(paused !== undefined && { pausedUntil: paused }),
    };
  });
}

function oldestWaitingAt({ connection }: StoredQueue, number: number, nowMs: number): number | undefined {
  const row = connection.get(
    `SELECT min(at) AS at FROM (
       SELECT min(at) AS at FROM task WHERE queue = ? AND state = 0 AND suspect = 0 AND NOT ${HELD_IN_RANGE}
       UNION ALL SELECT min(at) FROM task WHERE queue = ? AND state = 0 AND suspect = 1
       UNION ALL SELECT min(at) FROM task WHERE queue = ? AND state = 1 AND at <= ?)`,
    number,
    number,
    number,
    nowMs,
  ) as { at: number | null };
  return row.at ?? undefined;
}

/** A page of the tasks in one state, in order. @throws MemqError USAGE for a place that no page ended at. */
export async function list({ queue, owner }: Looking, state: TaskState, page: PageRequest): Promise<Page> {
  const after = placeOf(page.after);
  const limit = Math.min(page.limit, MAX_PAGE);
  return queue.connection.read(() => {
    const number = queue.row()?.id;
    if (number === undefined) return { tasks: [] };
    const rows = rowsIn(queue, state, { number, after, limit });
    const last = rows.at(-1);
    return {
      tasks: recordsOf({ queue, owner }, rows),
      ...(last !== undefined && rows.length === limit && { next: `${String(last.at)}.${String(last.id)}` }),
    };
  });
}

interface Span {
  readonly number: number;
  readonly after: readonly [at: number, id: number];
  readonly limit: number;
}

function rowsIn(queue: StoredQueue, state: TaskState, { number, after, limit }: Span): readonly StoredRow[] {
  const { connection, clock } = queue;
  const nowMs = clock.now();
  const plain = (sql: string): StoredRow[] => connection.all(sql, number, ...after, limit) as StoredRow[];
  const timed = (sql: string): StoredRow[] =>
    connection.all(sql, number, nowMs, ...after, limit) as StoredRow[];
  switch (state) {
    case "waiting":
      return merge(merge(plain(WAITING), plain(SUSPECT), limit), timed(DUE), limit);
    case "delayed":
      return timed(DELAYED);
    case "running":
      return merge(plain(RUNNING), plain(RUNNING_IN_RANGES), limit);
    case "dead":
      return plain(DEAD);
  }
}

function placeOf(after: string | undefined): readonly [at: number, id: number] {
  if (after === undefined) return [-1, -1];
  const [, at, id] = PLACE.exec(after) ?? [];
  if (at === undefined || id === undefined) {
    throw new MemqError("USAGE", `${JSON.stringify(after)} is not where a page of tasks ended`);
  }
  return [Number(at), Number(id)];
}

export async function find({ queue, owner }: Looking, id: string): Promise<TaskRecord | undefined> {
  const row = queue.ids.parse(id);
  if (row === undefined) return undefined;
  return queue.connection.read(() => {
    const number = queue.row()?.id ?? 0;
    const found = queue.connection.get(`${SELECT} WHERE task.id = ? AND task.queue = ?`, row, number);
    return shown({ queue, owner }, found as StoredRow | undefined);
  });
}

/** The unfinished task with that key, else its latest dead letter. */
export function findKey({ queue, owner }: Looking, key: string): Promise<TaskRecord | undefined> {
  return queue.connection.read(() => {
    const number = queue.row()?.id ?? 0;
    const found = queue.connection.get(
      `${SELECT} WHERE task.queue = ? AND key = ? ORDER BY state = ?, task.id DESC LIMIT 1`,
      number,
      storedKey(key),
      STATE.dead,
    );
    return shown({ queue, owner }, found as StoredRow | undefined);
  });
}

const shown = (looking: Looking, row: StoredRow | undefined): TaskRecord | undefined =>
  row && recordsOf(looking, [row])[0];

function recordsOf({ queue, owner }: Looking, rows: readonly StoredRow[]): readonly TaskRecord[] {
  const about = { gone: goneFrom(queue, owner, rows), started: inFlight(queue.connection, rows) };
  return rows.map((row) => recordOf(queue, row, about));
}

/** What the rows themselves do not say. */
interface About {
  /** Holders that are gone. */
  readonly gone: ReadonlySet<number>;
  /** Rows whose attempt is charged in their owner's journal alone. */
  readonly started: ReadonlySet<number>;
}

/** Those who held rows and are gone: judged as one who claims would judge. */
function goneFrom(queue: StoredQueue, owner: Owner, rows: readonly StoredRow[]): ReadonlySet<number> {
  const number = rows.some(({ holder }) => holder !== null) ? queue.row()?.id : undefined;
  return new Set(number === undefined ? [] : goneHolders(queue, owner, number).map(({ id }) => id));
}

function recordOf({ codec, clock, ids }: StoredQueue, row: StoredRow, { gone, started }: About): TaskRecord {
  const id = ids.format(row.id);
  const decoded = codec.open(id, row.born, row.body);
  const holder =
    row.host === null ? undefined : nameOf({ host: row.host, realm: "", pid: row.pid ?? 0, startedAt: "" });
  return {
    id,
    state: holder === undefined ? stateOf(row, clock.now()) : "running",
    attempts: row.attempts + (started.has(row.id) ? 1 : 0),
    at: atOf(row, gone, clock.now()),
    ...(decoded.kind === "task" && { task: decoded.task }),
    ...(decoded.kind === "broken" && { fault: decoded.reason }),
    ...(row.error !== null && { error: row.error }),
    ...(holder !== undefined && { holder }),
  };
}

/** Nobody renews the lease of one who is gone: it has ended, for whoever claims next. */
function atOf({ lease_ends_at, holder, at }: StoredRow, gone: ReadonlySet<number>, nowMs: number): number {
  if (lease_ends_at === null) return at;
  return holder !== null && gone.has(holder) ? Math.min(lease_ends_at, nowMs) : lease_ends_at;
}

function stateOf({ state, at }: StoredRow, nowMs: number): TaskState {
  if (state === STATE.running) return "running"; // whose holder is not on record any more
  if (state === STATE.dead) return "dead";
  return state === STATE.delayed && at > nowMs ? "delayed" : "waiting";
}
