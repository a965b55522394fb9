import type { Connection } from "./connection.ts";
import type { RowRange } from "./row-range.ts";
import { STATE } from "./schema.ts";

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

/** Which rows of a state to read, in their order. */
interface Stretch {
  readonly number: number;
  readonly untilMs: number;
  /** The row before them. */
  readonly after: { readonly at: number; readonly id: number } | undefined;
  readonly passed: ReadonlySet<number>;
  /** Ranges to leave out. */
  readonly held?: readonly RowRange[];
  readonly limit: number;
}

const PASSING = "AND id NOT IN (SELECT value FROM json_each(?))";
const OUTSIDE = "AND id NOT BETWEEN ? AND ? ";

// What was never touched since it was published, as most of them, is told by its place alone.
const TOUCHED = `iif(state = 0 AND suspect = 0 AND born = at AND attempts = 0 AND claims = 0 AND key IS NULL, NULL,
  id || ',' || state || ',' || born || ',' || attempts || ',' || claims || ',' || suspect || ',' || (key IS NOT NULL))`;

// One text for all rows: handing over each column of each row takes longer than finding them. No body that a codec
// made holds a line end, so that they need no quotes; one that somebody else has written may hold anything.
const IN_LINES = `group_concat(id || ',' || at) AS places, group_concat(body, char(10)) AS bodies,
  sum(octet_length(body)) AS bytes, group_concat(touched) AS touched`;
const IN_QUOTES = "json_group_array(body) AS bodies";

const ROWS = (what: string, state: string, passing: string): string => `
  SELECT ${what} FROM (
    SELECT id, at, body, ${TOUCHED} AS touched FROM task
    WHERE queue = ? AND ${state} ${passing} AND (at, id) > (?, ?) ORDER BY at, id LIMIT ?)`;

interface InLines {
  readonly places: string | null;
  readonly bodies: string;
  readonly bytes: number;
  readonly touched: string | null;
}

/** The next rows that `state`, a condition with a time in it, is true of. */
export function frontRows(connection: Connection, state: string, stretch: Stretch): readonly FrontRow[] {
  const { number, untilMs, after, passed, held = [], limit } = stretch;
  const passing = OUTSIDE.repeat(held.length) + (passed.size === 0 ? "" : PASSING);
  const values = [
    number,
    untilMs,
    ...held.flatMap(({ first, last }) => [first, last]),
    ...(passed.size === 0 ? [] : [JSON.stringify([...passed])]),
    after?.at ?? -1,
    after?.id ?? -1,
    limit,
  ];
  const found = connection.get(ROWS(IN_LINES, state, passing), ...values) as InLines;
  if (found.places === null) return [];
  const places = numbersIn(found.places);
  const bodies = linesOf(found, places.length / 2) ?? quoted();
  const touched = touchedIn(found.touched);
  return bodies.map((body, nth) => {
    const row = untouchedRow(places[nth * 2] ?? 0, places[nth * 2 + 1] ?? 0, body);
    const more = touched?.get(row.id);
    return more === undefined ? row : { ...row, ...more };
  });

  function quoted(): readonly string[] {
    const rows = connection.get(ROWS(IN_QUOTES, state, passing), ...values) as { bodies: string };
    return JSON.parse(rows.bodies) as string[];
  }
}

/** Undefined: a body holds a line end, or what comes out differently than it was written. */
function linesOf({ bodies, bytes }: InLines, count: number): readonly string[] | undefined {
  if (Buffer.byteLength(bodies) !== bytes + count - 1) return undefined;
  const lines = bodies.split("\n");
  return lines.length === count ? lines : undefined;
}

const numbersIn = (text: string): readonly number[] => JSON.parse(`[${text}]`) as number[];

type Touched = Pick<FrontRow, "state" | "born" | "attempts" | "claims" | "suspect" | "keyed">;
const TOUCHED_NUMBERS = 7;

function touchedIn(text: string | null): ReadonlyMap<number, Touched> | undefined {
  if (text === null) return undefined;
  const numbers = numbersIn(text);
  const found = new Map<number, Touched>();
  for (let at = 0; at < numbers.length; at += TOUCHED_NUMBERS) {
    const [id = 0, state = 0, born = 0, attempts = 0, claims = 0, suspect = 0, keyed = 0] = numbers.slice(at);
    found.set(id, { state, born, attempts, claims, suspect, keyed: keyed === 1 });
  }
  return found;
}

const untouchedRow = (id: number, at: number, body: string): FrontRow => ({
  id,
  state: STATE.waiting,
  at,
  born: at,
  attempts: 0,
  claims: 0,
  suspect: 0,
  keyed: false,
  body,
});
