import type { Task } from "../../task/task.ts";
import { frontRows, type FrontRow } from "./front-rows.ts";
import { heldIn } from "./held-ranges.ts";
import type { RowRange } from "./row-range.ts";
import { FOR_EVER, STATE } from "./schema.ts";
import type { StoredQueue } from "./stored-queue.ts";

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
const SUSPECT = "state = 0 AND suspect = 1 AND at <= ?";
const DUE = "state = 1 AND at <= ?";

/** The suspects of a queue: started by an owner that died, to be run with nothing beside them. */
export const suspects =
  (queue: StoredQueue, number: number): Fetch =>
  (limit, passed) =>
    isAny(queue, SUSPECT, { number, untilMs: FOR_EVER })
      ? reach(queue, SUSPECT, { number, untilMs: FOR_EVER, limit, passed }).rows
      : [];

/** What waits, and what has fallen due meanwhile, by the time each began to wait. */
export const front =
  (queue: StoredQueue, number: number, nowMs: number): Fetch =>
  (limit, passed) => {
    const held = heldIn(queue.connection, number);
    const waiting = reach(queue, WAITING, { number, untilMs: FOR_EVER, limit, passed, held });
    if (!isAny(queue, DUE, { number, untilMs: nowMs })) return waiting.rows;
    const due = reach(queue, DUE, { number, untilMs: nowMs, limit, passed });
    // Of a list that was cut, more may stand before the later rows of the other.
    return upTo(due.cutAt, upTo(waiting.cutAt, merge(waiting.rows, due.rows, limit)));
  };

/** Most queues have neither at most times, and to ask for one row takes a fifth of asking for their texts. */
const isAny = (
  { connection }: StoredQueue,
  state: string,
  { number, untilMs }: Pick<Span, "number" | "untilMs">,
): boolean =>
  connection.get(`SELECT 1 FROM task WHERE queue = ? AND ${state} LIMIT 1`, number, untilMs) !== undefined;

interface Span {
  readonly number: number;
  readonly untilMs: number;
  readonly limit: number;
  readonly passed: ReadonlySet<number>;
  /** What owners hold in ranges, where such rows can be met. */
  readonly held?: readonly RowRange[];
}

interface Reach {
  readonly rows: readonly FrontRow[];
  /** The last row, where more may stand behind it that was too large to be read as well. */
  readonly cutAt: FrontRow | undefined;
}

function reach({ connection }: StoredQueue, state: string, span: Span): Reach {
  const rows: FrontRow[] = [];
  let chars = 0;
  for (let step = FIRST_STEP; rows.length < span.limit && chars < MAX_CLAIM_CHARS; step *= 2) {
    const size = Math.min(step, span.limit - rows.length);
    const found = frontRows(connection, state, { ...span, after: rows.at(-1), limit: size });
    for (const row of found) {
      rows.push(row);
      chars += row.body.length;
    }
    if (found.length < size) return { rows, cutAt: undefined };
  }
  return { rows, cutAt: rows.length < span.limit ? rows.at(-1) : undefined };
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
