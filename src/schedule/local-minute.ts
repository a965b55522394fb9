import type { CronTimes } from "../config/cadence.ts";

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;

/**
 * The first minute of a local calendar, from `fromMs` up to but not including `untilMs`, that a cron expression
 * names. A local time is written as if it were UTC, so that every day has 24 hours.
 */
export function firstMinute(times: CronTimes, fromMs: number, untilMs: number): number | undefined {
  for (let day = Math.floor(fromMs / DAY_MS) * DAY_MS; day < untilMs; day += DAY_MS) {
    if (!isDay(times, new Date(day))) continue;
    const minute = firstOfDay(times, Math.max(0, Math.ceil((fromMs - day) / MINUTE_MS)));
    const atMs = minute === undefined ? Infinity : day + minute * MINUTE_MS;
    if (atMs < untilMs) return atMs;
  }
  return undefined;
}

/** crontab(5): day and weekday are alternatives, unless one of them begins with `*`. */
function isDay({ days, months, weekdays, isEitherDay }: CronTimes, date: Date): boolean {
  if (!months.includes(date.getUTCMonth() + 1)) return false;
  const [day, weekday] = [days.includes(date.getUTCDate()), weekdays.includes(date.getUTCDay())];
  return isEitherDay ? day || weekday : day && weekday;
}

/** The first minute of the day, not before `from`, that hours and minutes name. */
function firstOfDay({ hours, minutes }: CronTimes, from: number): number | undefined {
  const hour = Math.floor(from / 60);
  const minute = hours.includes(hour) ? minutes.find((one) => one >= from % 60) : undefined;
  if (minute !== undefined) return hour * 60 + minute;
  const later = hours.find((one) => one > hour);
  return later === undefined ? undefined : later * 60 + (minutes[0] ?? 0);
}
