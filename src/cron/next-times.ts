import type { CronTimes } from "../config/cadence.ts";

const MINUTE_MS = 60_000;
const MAX_DAYS = 366 * 9; // 29 February was missing for eight years around 1900, and will be around 2100

/**
 * The next `count` moments at which cron starts it, in ms, in this machine's time zone; fewer when nine years
 * do not have as many. Over a clock change as cron(8) does: a rhythm goes on, a fixed time comes once.
 */
export function nextTimes(times: CronTimes, afterMs: number, count: number): readonly number[] {
  const found: number[] = [];
  let start = Math.floor(afterMs / MINUTE_MS) * MINUTE_MS + MINUTE_MS;
  for (let day = 0; day < MAX_DAYS && found.length < count; day++) {
    const end = startOfNextDay(start);
    if (isDay(times, new Date(start)))
      found.push(...minutesBetween(start, end).filter((ms) => isMinute(times, ms)));
    start = end;
  }
  return found.slice(0, count);
}

const minutesBetween = (startMs: number, endMs: number): readonly number[] =>
  Array.from({ length: (endMs - startMs) / MINUTE_MS }, (_, nth) => startMs + nth * MINUTE_MS);

function startOfNextDay(ms: number): number {
  const date = new Date(ms);
  return new Date(date.getFullYear(), date.getMonth(), date.getDate() + 1).getTime();
}

function isDay({ days, months, weekdays, isEitherDay }: CronTimes, date: Date): boolean {
  if (!months.includes(date.getMonth() + 1)) return false;
  const [day, weekday] = [days.includes(date.getDate()), weekdays.includes(date.getDay())];
  return isEitherDay ? day || weekday : day && weekday;
}

function isMinute(times: CronTimes, ms: number): boolean {
  const now = minuteOfDay(ms);
  if (times.isRhythm) return isTime(times, now);
  const shift = offsetMs(ms) - offsetMs(ms - MINUTE_MS);
  if (shift > 0) return isSkipped(times, now, shift / MINUTE_MS) || isTime(times, now);
  return isTime(times, now) && !isRepeated(ms);
}

const isTime = ({ hours, minutes }: CronTimes, minuteOfDay: number): boolean =>
  hours.includes(Math.floor(minuteOfDay / 60)) && minutes.includes(minuteOfDay % 60);

/** Whether one of the minutes that the clock has just left out was its time. */
function isSkipped(times: CronTimes, now: number, skipped: number): boolean {
  return Array.from({ length: skipped }, (_, nth) => now - 1 - nth).some(
    (minute) => minute >= 0 && isTime(times, minute),
  );
}

const LONGEST_REPEAT_MS = 3 * 60 * MINUTE_MS; // what cron(8) takes for a clock change

/** Whether the clock showed this time of the day before, because it was put back since. */
function isRepeated(ms: number): boolean {
  const back = offsetMs(ms - LONGEST_REPEAT_MS) - offsetMs(ms);
  return back > 0 && offsetMs(ms - back) === offsetMs(ms - LONGEST_REPEAT_MS);
}

/** How far local time is ahead of UTC. */
const offsetMs = (ms: number): number => -new Date(ms).getTimezoneOffset() * MINUTE_MS;

function minuteOfDay(ms: number): number {
  const date = new Date(ms);
  return date.getHours() * 60 + date.getMinutes();
}
