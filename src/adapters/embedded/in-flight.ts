import type { Connection } from "./connection.ts";
import { readFlights } from "./flight-journal.ts";
import { flightsPath } from "./holder.ts";
import { STATE } from "./schema.ts";

/** A row that may be held, as stored. */
interface HeldRow {
  readonly id: number;
  readonly state: number;
  readonly claims: number;
  readonly started: number;
  readonly holder: number | null;
}

/**
 * The rows whose attempt is under way and charged in their owner's journal alone, as one who takes over would
 * charge it. Of a stretch nobody knows which of its rows was started: none of them is.
 */
export function inFlight(connection: Connection, rows: readonly HeldRow[]): ReadonlySet<number> {
  const unsure = rows.filter(({ holder, started }) => holder !== null && started === 0);
  const holders = new Set(unsure.map(({ holder }) => holder ?? 0));
  const noted = new Set([...holders].flatMap((holder) => startsOf(connection, holder)));
  return new Set(unsure.filter((row) => noted.has(nameOf(row.id, claimNumberOf(row)))).map(({ id }) => id));
}

const startsOf = (connection: Connection, holder: number): readonly string[] =>
  (readFlights(flightsPath(connection, holder))?.started ?? []).map(({ row, claimNumber }) =>
    nameOf(row, claimNumber),
  );

const nameOf = (row: number, claimNumber: number): string => `${String(row)}.${String(claimNumber)}`;

/** Of a row that is held in a range the claim is not written yet. */
const claimNumberOf = ({ state, claims }: HeldRow): number => (state === STATE.waiting ? claims + 1 : claims);
