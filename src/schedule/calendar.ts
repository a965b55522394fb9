import type { CronTimes } from "../config/cadence.ts";
import { firstMinute } from "./local-minute.ts";
import { Shifts, type Shift, type Stretch } from "./shifts.ts";
import type { Zone } from "./zone.ts";

/**
 * When something fires, in ms since 1970. cron(8) sets the rule for clock changes: a rhythm (`*` in minute or
 * hour) goes by what the clock shows, so it keeps its pace through an hour that comes twice. A fixed time comes
 * once: at its first showing where the hour comes twice, and right after the change where it is left out.
 */
export interface Calendar {
  /** A rhythm; otherwise fixed times. */
  readonly isRhythm: boolean;
  /** The first time after that one; undefined: never. */
  next(afterMs: number): number | undefined;
  /** The last `count` times after `afterMs`, `untilMs` included, in their order. */
  last(count: number, afterMs: number, untilMs: number): readonly number[];
}

const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
const DAY_MS = 86_400_000;

/** cron(8) takes a larger step for a correction, and goes by the new time at once. In ms. */
export const CLOCK_CHANGE_MS = 3 * HOUR_MS;

// 29 February on one weekday comes again after 40 years at most.
const FAR_MS = 45 * 366 * DAY_MS;

/** The calendar of a cron expression in a time zone. */
export function makeCalendar(times: CronTimes, zone: Zone): Calendar {
  const shifts = new Shifts(zone);
  const next = (afterMs: number): number | undefined => nextTime(times, shifts, afterMs);
  return {
    isRhythm: times.isRhythm,
    next,
    last: (count, afterMs, untilMs) => lastTimes(next, count, { afterMs, untilMs }),
  };
}

function nextTime(times: CronTimes, shifts: Shifts, afterMs: number): number | undefined {
  const farMs = afterMs + FAR_MS;
  for (let fromMs = (Math.floor(afterMs / MINUTE_MS) + 1) * MINUTE_MS; fromMs < farMs;) {
    const stretch = shifts.stretchFrom(fromMs);
    const { offsetMs, endMs } = stretch;
    const openMs = times.isRhythm ? fromMs + offsetMs : firstOpen(stretch, fromMs);
    const local = firstMinute(times, openMs, endMs + offsetMs);
    // What was left out comes with the first minute after the change.
    if (local !== undefined) return Math.max(local - offsetMs, fromMs);
    fromMs = endMs;
  }
  return undefined;
}

/** The first local minute whose fixed times have not had their turn before `fromMs`. */
function firstOpen({ offsetMs, began }: Stretch, fromMs: number): number {
  const localMs = fromMs + offsetMs;
  if (began === undefined || Math.abs(leapOf(began)) > CLOCK_CHANGE_MS) return localMs;
  const wouldBeMs = began.atMs + began.beforeMs; // what the clock would show at the change without it
  if (leapOf(began) < 0) return Math.max(localMs, wouldBeMs);
  return began.atMs === fromMs ? wouldBeMs : localMs;
}

const leapOf = ({ beforeMs, afterMs }: Shift): number => afterMs - beforeMs;

// However long ago the beginning is, and however often it fires: looked at from the end, in growing steps.
const LOOKS_BACK_MS = [HOUR_MS, DAY_MS, 32 * DAY_MS, 366 * DAY_MS, FAR_MS];

interface Span {
  readonly afterMs: number;
  readonly untilMs: number;
}

function lastTimes(next: Calendar["next"], count: number, { afterMs, untilMs }: Span): readonly number[] {
  for (const backMs of LOOKS_BACK_MS) {
    const startMs = Math.max(afterMs, untilMs - backMs);
    const times = [...timesIn(next, startMs, untilMs)];
    if (times.length >= count || startMs === afterMs) return times.slice(-count);
  }
  return [];
}

function* timesIn(next: Calendar["next"], afterMs: number, untilMs: number): Generator<number> {
  for (let at = next(afterMs); at !== undefined && at <= untilMs; at = next(at)) yield at;
}
