import type { Zone } from "./zone.ts";

/** A change of a zone's offset: the first moment of the new one, and both offsets, in ms. */
export interface Shift {
  readonly atMs: number;
  readonly beforeMs: number;
  readonly afterMs: number;
}

/** A stretch of time in which a zone keeps its offset. */
export interface Stretch {
  readonly offsetMs: number;
  /** Its end, or a point before it; not included. */
  readonly endMs: number;
  /** The change that it began with, if that was not long ago. */
  readonly began?: Shift;
}

const MINUTE_MS = 60_000;
// Clock changes are weeks apart; the nearest are those around Ramadan.
const WEEK_MS = 7 * 86_400_000;
const MAX_REMEMBERED = 32;

/** The clock changes of a zone, looked for week by week: asking for an offset costs microseconds. */
export class Shifts {
  readonly #zone: Zone;
  readonly #byWeek = new Map<number, Shift | undefined>();

  constructor(zone: Zone) {
    this.#zone = zone;
  }

  /** The stretch from a moment on. */
  stretchFrom(ms: number): Stretch {
    const week = Math.floor(ms / WEEK_MS);
    const earlier = this.#shiftIn(week - 1);
    const shift = this.#shiftIn(week);
    if (shift !== undefined && ms < shift.atMs) {
      return {
        offsetMs: shift.beforeMs,
        endMs: shift.atMs,
        ...(earlier !== undefined && { began: earlier }),
      };
    }
    const began = shift ?? earlier;
    const offsetMs = shift?.afterMs ?? this.#zone.offsetMs(ms);
    return { offsetMs, endMs: (week + 1) * WEEK_MS, ...(began !== undefined && { began }) };
  }

  #shiftIn(week: number): Shift | undefined {
    if (this.#byWeek.has(week)) return this.#byWeek.get(week);
    const shift = shiftBetween(this.#zone, week * WEEK_MS, (week + 1) * WEEK_MS);
    if (this.#byWeek.size >= MAX_REMEMBERED) this.#byWeek.clear();
    this.#byWeek.set(week, shift);
    return shift;
  }
}

/** The change between two moments, the second included; undefined when there is none. */
function shiftBetween(zone: Zone, startMs: number, endMs: number): Shift | undefined {
  const [beforeMs, afterMs] = [zone.offsetMs(startMs), zone.offsetMs(endMs)];
  if (beforeMs === afterMs) return undefined;
  let [low, high] = [startMs / MINUTE_MS, endMs / MINUTE_MS];
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (zone.offsetMs(middle * MINUTE_MS) === beforeMs) low = middle;
    else high = middle;
  }
  return { atMs: high * MINUTE_MS, beforeMs, afterMs };
}
