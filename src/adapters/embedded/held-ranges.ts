import type { Connection } from "./connection.ts";
import type { FrontRow } from "./front-rows.ts";
import { rangesOf, without, type RowRange } from "./row-range.ts";
import { STATE } from "./schema.ts";
import type { StoredQueue } from "./stored-queue.ts";

// Every range costs every claim a little, and a queue of many owners is worked off all the same.
const MOST_RANGES = 16;
// One row is as soon written itself.
const SHORTEST_RANGE = 2;

/** Of a row of `task` that waits, as stored: an owner holds it in a range. */
export const HELD_IN_RANGE = `EXISTS (SELECT 1 FROM held_range
  WHERE held_range.queue = task.queue AND task.id BETWEEN held_range.first AND held_range.last)`;

// Written so that it is looked up by the rows' numbers, and not among all that waits.
const MEMBERS = "+task.state = 0 AND task.id BETWEEN held_range.first AND held_range.last";

/**
 * The ranges of a queue, neighbours as one: a claim has to get past the rows of all other owners, and to compare
 * numbers takes a tenth of looking each row up.
 */
export function heldIn(connection: Connection, queue: number): readonly RowRange[] {
  const ranges = connection.all("SELECT first, last FROM held_range WHERE queue = ? ORDER BY first", queue);
  const merged: { first: number; last: number }[] = [];
  for (const { first, last } of ranges as RowRange[]) {
    const before = merged.at(-1);
    if (before !== undefined && before.last + 1 === first) before.last = last;
    else merged.push({ first, last });
  }
  return merged;
}

const countRanges = (connection: Connection, queue: number): number =>
  countOf(connection.get("SELECT count(*) AS count FROM held_range WHERE queue = ?", queue));

/** Notes as ranges what can be noted so; answers the others. */
export function holdInRanges(
  queue: StoredQueue,
  holder: number,
  rows: readonly FrontRow[],
): readonly FrontRow[] {
  const ranges = rangesOf(rows.filter(isPlain).map(({ id }) => id)).filter(isLongEnough);
  if (ranges.length === 0) return rows;
  const { connection } = queue;
  const number = queue.number();
  const noted = ranges.slice(0, Math.max(0, MOST_RANGES - countRanges(connection, number)));
  for (const range of noted) insert(connection, { id: holder, queue: number }, range);
  return rows.filter((row) => !isPlain(row) || !noted.some((range) => isIn(range, row.id)));
}

const isLongEnough = ({ first, last }: RowRange): boolean => last - first + 1 >= SHORTEST_RANGE;

// Whoever looks for a key reads the state that is stored.
const isPlain = ({ state, suspect, keyed }: FrontRow): boolean =>
  state === STATE.waiting && suspect === 0 && !keyed;

const isIn = ({ first, last }: RowRange, row: number): boolean => row >= first && row <= last;

/** These rows are not held in a range any more, if they were. */
export function leaveRanges(connection: Connection, holder: number, rows: readonly number[]): void {
  const ranges = connection.all("SELECT queue, first, last FROM held_range WHERE holder = ?", holder);
  for (const range of ranges as (RowRange & { readonly queue: number })[]) {
    const { queue, first } = range;
    if (!rows.some((row) => isIn(range, row))) continue;
    connection.run("DELETE FROM held_range WHERE queue = ? AND first = ?", queue, first);
    for (const left of without(range, rows)) insert(connection, { id: holder, queue }, left);
  }
}

/** Forgets the ranges of an owner of which nothing is left. */
export const dropEmptyRanges = (connection: Connection, holder: number): number =>
  connection.run(
    `DELETE FROM held_range WHERE holder = ? AND NOT EXISTS (SELECT 1 FROM task WHERE ${MEMBERS})`,
    holder,
  );

/** How many tasks an owner holds in ranges. */
export const countInRanges = (connection: Connection, holder: number): number =>
  countOf(
    connection.get(
      `SELECT count(*) AS count FROM held_range CROSS JOIN task ON ${MEMBERS}
       WHERE held_range.holder = ?`,
      holder,
    ),
  );

/** An owner lets go of all its ranges: what is in them waits where it always stood. Answers how many tasks. */
export function dropRanges(connection: Connection, holder: number): number {
  const count = countInRanges(connection, holder);
  connection.run("DELETE FROM held_range WHERE holder = ?", holder);
  return count;
}

const countOf = (row: unknown): number => (row as { count: number }).count;

function insert(
  connection: Connection,
  holder: { readonly id: number; readonly queue: number },
  { first, last }: RowRange,
): void {
  connection.run(
    "INSERT INTO held_range(queue, first, last, holder) VALUES (?, ?, ?, ?)",
    holder.queue,
    first,
    last,
    holder.id,
  );
}
