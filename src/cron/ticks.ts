import { cronTimes } from "../config/cadence.ts";
import { nextTimes } from "./next-times.ts";

/** Cron's next tick after a time, both in ms since 1970; Infinity: there is none in years. */
export type NextTick = (afterMs: number) => number;

/**
 * The ticks of a cadence, in the machine's time zone: of a cron expression, or the multiples of a duration
 * in ms, as `10m` is at :00, :10, :20. Of several lines of a crontab, the ticks of any.
 */
export function ticksOf(every: number | string | readonly (number | string)[]): NextTick {
  if (typeof every === "object") return earliest(every.map((one) => ticksOf(one)));
  if (typeof every === "number") return (afterMs) => nextMultiple(every, afterMs);
  const times = cronTimes(every);
  return (afterMs) => (times === undefined ? Infinity : (nextTimes(times, afterMs, 1)[0] ?? Infinity));
}

const earliest =
  (ticks: readonly NextTick[]): NextTick =>
  (afterMs) =>
    Math.min(...ticks.map((tick) => tick(afterMs)));

/** On the clock on the wall, as cron counts: an hour begins at :00 in Kolkata too. */
function nextMultiple(ms: number, afterMs: number): number {
  const zoneMs = new Date(afterMs).getTimezoneOffset() * 60_000;
  return (Math.floor((afterMs - zoneMs) / ms) + 1) * ms + zoneMs;
}
