import type { Task } from "../../task/task.ts";
import { countRanges, HELD_IN_RANGE } from "./held-ranges.ts";
import { FOR_EVER, STATE } from "./schema.ts";
import type { StoredQueue } from "./stored-queue.ts";

/** A task that could be claimed, as stored. */
export interface FrontRow {
  readonly id: number;
  readonly state: number;
  readonly at: number;
  readonly born: number;
  readonly attempts: number;
  readonly claims: number;
  readonly suspect: number;
  readonly keyed: boolean;
  readonly body: string;
}

/** What the front of the queue holds for this version of memq. */
export interface Selection {
  readonly opened: readonly { readonly row: FrontRow; readonly task: Task }[];
  readonly broken: readonly { readonly row: FrontRow; readonly reason: string }[];
  readonly newer: readonly FrontRow[];
  /** False: only some of what is in the way was looked at. */
  readonly complete: boolean;
}

/** Rows of the front that are not in `passed`, in order. */
type Fetch = (limit: number, passed: ReadonlySet<number>) => readonly FrontRow[];

// When something is in the way, this much is looked at in a round, so that a limit of 1 does not crawl.
const ROUND_ROWS = 256;
// After as many rounds the transaction makes room for others.
const MAX_ROUNDS = 20;

// What one claim brings into memory, give or take a step: of the largest tasks it takes a few at a time.
const MAX_CLAIM_CHARS = 8_000_000;
// Rows of the first step; each further one is twice as large.
const FIRST_STEP = 64;

const WAITING = "state = 0 AND suspect = 0 AND at <= ?";
const FREE = `${WAITING} AND NOT ${HELD_IN_RANGE}`;
const SUSPECT = "state = 0 AND suspect = 1 AND at <= ?";
const DUE = "state = 1 AND at <= ?";
const PASSING = "AND id NOT IN (SELECT value FROM json_each(?))";

// One text for all rows: handing over each column of each row takes longer than finding them. What was never
// touched since it was published, as most of them, is told without the columns that say so.
const ROWS = (state: string, passing: string): string => `
  SELECT json_group_array(json_array(id, at, body, more)) AS rows FROM (
    SELECT id, at, body,
      iif(state = 0 AND suspect = 0 AND born = at AND attempts = 0 AND claims = 0 AND key IS NULL, NULL,
        state || ',' || born || ',' || attempts || ',' || claims || ',' || suspect || ',' || (key IS NOT NULL)) AS more
    FROM task
    WHERE queue = ? AND ${state} ${passing} ORDER BY at, id LIMIT ? OFFSET ?)`;

type RowValues = readonly [id: number, at: number, body: string, more: string | null];

/** The suspects of a queue: started by an owner that died, to be run with nothing beside them. */
export const suspects =
  (queue: StoredQueue, number: number): Fetch =>
  (limit, passed) =>
    reach(queue, SUSPECT, { number, untilMs: FOR_EVER, limit, passed }).rows;

/** What waits, and what has fallen due meanwhile, by the time each began to wait. */
export const front =
  (queue: StoredQueue, number: number, nowMs: number): Fetch =>
  (limit, passed) => {
    const state = countRanges(queue.connection, number) > 0 ? FREE : WAITING;
    const waiting = reach(queue, state, { number, untilMs: FOR_EVER, limit, passed });
    const due = reach(queue, DUE, { number, untilMs: nowMs, limit, passed });
    // Of a list that was cut, more may stand before the later rows of the other.
    return upTo(due.cutAt, upTo(waiting.cutAt, merge(waiting.rows, due.rows, limit)));
  };

interface Span {
  readonly number: number;
  readonly untilMs: number;
  readonly limit: number;
  readonly passed: ReadonlySet<number>;
}

interface Reach {
  readonly rows: readonly FrontRow[];
  /** The last row, where more may stand behind it that was too large to be read as well. */
  readonly cutAt: FrontRow | undefined;
}

function reach({ connection }: StoredQueue, state: string, span: Span): Reach {
  const passing = span.passed.size === 0 ? [] : [JSON.stringify([...span.passed])];
  const sql = ROWS(state, passing.length === 0 ? "" : PASSING);
  const rows: FrontRow[] = [];
  let chars = 0;
  for (let step = FIRST_STEP; rows.length < span.limit && chars < MAX_CLAIM_CHARS; step *= 2) {
    const size = Math.min(step, span.limit - rows.length);
    const found = connection.get(sql, span.number, span.untilMs, ...passing, size, rows.length);
    const text = (found as { rows: string }).rows;
    const values = JSON.parse(text) as RowValues[];
    rows.push(...values.map(rowOf));
    chars += text.length;
    if (values.length < size) return { rows, cutAt: undefined };
  }
  return { rows, cutAt: rows.length < span.limit ? rows.at(-1) : undefined };
}

function rowOf([id, at, body, more]: RowValues): FrontRow {
  const [state = STATE.waiting, born = at, attempts = 0, claims = 0, suspect = 0, keyed = 0] =
    more === null ? [] : more.split(",").map(Number);
  return { id, state, at, born, attempts, claims, suspect, keyed: keyed === 1, body };
}

/** Opens rows until there are `limit` tasks; what cannot be opened is set apart and looked past. */
export function select(
  { codec, ids }: StoredQueue,
  fetch: Fetch,
  wish: { readonly limit: number; readonly passed: ReadonlySet<number> },
): Selection {
  const opened: { row: FrontRow; task: Task }[] = [];
  const broken: { row: FrontRow; reason: string }[] = [];
  const newer: FrontRow[] = [];
  const passed = new Set(wish.passed);
  const sort = (row: FrontRow): void => {
    const decoded = codec.open(ids.format(row.id), row.born, row.body);
    if (decoded.kind === "task") opened.push({ row, task: decoded.task });
    else if (decoded.kind === "broken") broken.push({ row, reason: decoded.reason });
    else newer.push(row);
    if (decoded.kind !== "task") passed.add(row.id);
  };
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const rows = fetch(round === 0 ? wish.limit : Math.max(wish.limit, ROUND_ROWS), passed);
    for (const row of rows) if (opened.length < wish.limit) sort(row);
    if (opened.length > 0 || rows.length === 0) return { opened, broken, newer, complete: true };
  }
  return { opened, broken, newer, complete: false };
}

interface Placed {
  readonly at: number;
  readonly id: number;
}

/** What does not stand behind `last`. */
const upTo = <T extends Placed>(last: T | undefined, rows: readonly T[]): readonly T[] =>
  last === undefined ? rows : rows.filter((row) => byPlace(row, last) <= 0);

const byPlace = (a: Placed, b: Placed): number => a.at - b.at || a.id - b.id;

/** Two ordered lists as one. */
export function merge<T extends Placed>(
  some: readonly T[],
  others: readonly T[],
  limit: number,
): readonly T[] {
  if (others.length === 0) return some;
  return [...some, ...others].sort(byPlace).slice(0, limit);
}

/** Which counter a stored state is counted by. */
export const counterOf = (state: number): "waiting" | "delayed" =>
  state === STATE.delayed ? "delayed" : "waiting";
