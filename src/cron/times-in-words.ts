import type { CronTimes } from "../config/cadence.ts";

const WEEKDAYS = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const MONTHS = [
  "January",
  "February",
  "March",
  "April",
  "May",
  "June",
  "July",
  "August",
  "September",
  "October",
  "November",
  "December",
];
const MAX_CLOCK_TIMES = 6; // more are easier to read as minutes and hours

/** When it fires, for people: `every 10 minutes`, `at 07:00 on Monday to Friday`. */
export function timesInWords(times: CronTimes): string {
  const days = daysInWords(times);
  const clock = clockInWords(times);
  if (days.length > 0) return [clock, ...days].join(" ");
  return clock.startsWith("at ") ? `every day ${clock}` : clock;
}

function clockInWords({ minutes, hours }: CronTimes): string {
  const [minute = 0] = minutes;
  if (hours.length === 24) return minutesInWords(minutes);
  if (minutes.length * hours.length <= MAX_CLOCK_TIMES) return `at ${listed(clockTimes(hours, minutes))}`;
  const by = minutes.length === 1 ? rhythmOf(hours, 24) : undefined;
  if (by !== undefined)
    return `every ${String(by)} hours${minute === 0 ? "" : ` at minute ${String(minute)}`}`;
  return `${minutesInWords(minutes)} ${hoursInWords(hours)}`;
}

const clockTimes = (hours: readonly number[], minutes: readonly number[]): readonly string[] =>
  hours.flatMap((hour) => minutes.map((minute) => `${twoDigits(hour)}:${twoDigits(minute)}`));

function minutesInWords(minutes: readonly number[]): string {
  if (minutes.length === 60) return "every minute";
  if (minutes.length === 1)
    return minutes[0] === 0 ? "every hour" : `every hour at minute ${String(minutes[0])}`;
  const by = rhythmOf(minutes, 60);
  return by === undefined ? `every hour at minutes ${spans(minutes, String)}` : `every ${String(by)} minutes`;
}

const hoursInWords = (hours: readonly number[]): string =>
  isUnbroken(hours)
    ? `from ${twoDigits(hours[0] ?? 0)}:00 to ${twoDigits(hours.at(-1) ?? 0)}:59`
    : `in the hours ${spans(hours, String)}`;

/** The step of values that begin at 0 and go on evenly beyond the end; undefined when they limp there. */
function rhythmOf(values: readonly number[], size: number): number | undefined {
  const by = size / values.length;
  return values.every((value, nth) => value === nth * by) ? by : undefined;
}

function daysInWords({ days, months, weekdays, isEitherDay }: CronTimes): readonly string[] {
  const ofMonth = days.length === 31 ? [] : [`on day ${spans(days, String)} of the month`];
  const ofWeek = weekdays.length === 7 ? [] : [`on ${spans(weekdays, (day) => WEEKDAYS[day] ?? "")}`];
  const between = ofMonth.length > 0 && ofWeek.length > 0 ? [isEitherDay ? "and" : "when it falls"] : [];
  const ofYear = months.length === 12 ? [] : [`in ${spans(months, (month) => MONTHS[month - 1] ?? "")}`];
  return [...ofMonth, ...between, ...ofWeek, ...ofYear];
}

/** `1, 3 to 5 and 9`. */
function spans(values: readonly number[], show: (value: number) => string): string {
  const texts: string[] = [];
  for (let at = 0; at < values.length; at++) {
    const first = at;
    while (values[at + 1] === (values[at] ?? 0) + 1) at++;
    const shown = values.slice(first, at + 1).map(show);
    texts.push(...(shown.length > 2 ? [`${shown[0] ?? ""} to ${shown.at(-1) ?? ""}`] : shown));
  }
  return listed(texts);
}

const isUnbroken = (values: readonly number[]): boolean =>
  values.every((value, nth) => value === (values[0] ?? 0) + nth);

const listed = (texts: readonly string[]): string =>
  texts.length < 2 ? texts.join("") : `${texts.slice(0, -1).join(", ")} and ${texts.at(-1) ?? ""}`;

const twoDigits = (value: number): string => String(value).padStart(2, "0");
