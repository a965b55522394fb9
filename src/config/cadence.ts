import { parseDuration } from "../task/duration.ts";
import type { Reading, ValueType } from "./reading.ts";

/** One of the five fields of a crontab line. `names` stand for `min`, `min + 1`, … */
interface Field {
  readonly name: string;
  readonly min: number;
  readonly max: number;
  readonly names: readonly string[];
}

const MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]; // 7 is Sunday as well
const LONGEST_DAYS = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

const DAY: Field = { name: "day", min: 1, max: 31, names: [] };
const MONTH: Field = { name: "month", min: 1, max: 12, names: MONTHS };
const FIELDS: readonly Field[] = [
  { name: "minute", min: 0, max: 59, names: [] },
  { name: "hour", min: 0, max: 23, names: [] },
  DAY,
  MONTH,
  { name: "weekday", min: 0, max: 7, names: WEEKDAYS },
];
const NICKNAMES: ReadonlyMap<string, string> = new Map([
  ["@hourly", "0 * * * *"],
  ["@daily", "0 0 * * *"],
  ["@midnight", "0 0 * * *"],
  ["@weekly", "0 0 * * 0"],
  ["@monthly", "0 0 1 * *"],
  ["@yearly", "0 0 1 1 *"],
  ["@annually", "0 0 1 1 *"],
]);
const MAX_LENGTH = 200; // longer than any line that a person would read again
const EXAMPLE = "five fields: minute hour day month weekday, e.g. */10 * * * *";

/** A crontab line's time: five fields or a nickname such as @daily. Syntax only. */
export const CRON: ValueType<string> = { name: "cron expression", read: readCron };

function readCron(text: string): Reading<string> {
  if (NICKNAMES.has(text)) return { value: text };
  if (text.startsWith("@")) {
    return { fault: `is no time that comes again and again (try ${[...NICKNAMES.keys()].join(", ")})` };
  }
  const parts = text.trim().split(/\s+/);
  if (parts.length !== FIELDS.length || text.length > MAX_LENGTH) {
    return { fault: `is not a cron expression (${EXAMPLE})` };
  }
  const bad = FIELDS.findIndex((field, index) => !isField(parts[index] ?? "", field));
  if (bad !== -1) return { fault: fieldFault(FIELDS[bad] ?? DAY, parts[bad] ?? "") };
  return neverFires(parts)
    ? { fault: "names a day that none of its months has" }
    : { value: parts.join(" ") };
}

function fieldFault({ name, min, max }: Field, part: string): string {
  return `is not a cron expression: its ${name} is ${JSON.stringify(part)} (${String(min)} to ${String(max)}; ${EXAMPLE})`;
}

const isField = (part: string, field: Field): boolean =>
  part.split(",").every((item) => rangeOf(item, field));

/** First and last value of `*`, `5`, `1-5`, and their step; undefined when it is none of them. */
function rangeOf(item: string, field: Field): readonly [number, number, number] | undefined {
  const match = /^(?:(\*)|(\w+)(?:-(\w+))?)(?:\/(\d{1,2}))?$/.exec(item);
  if (match === null) return undefined;
  const [, all, first = "", last = first, step] = match;
  // `5/15` means something else in every cron, and `*/70` nothing in any.
  if (step !== undefined && (!isStep(Number(step), field) || /^\w+\//.test(item))) return undefined;
  const by = Number(step ?? 1);
  if (all !== undefined) return [field.min, field.max, by];
  const [from, to] = [numberOf(first, field), numberOf(last, field)];
  return from <= to ? [from, to, by] : undefined; // false too when either is no number
}

const isStep = (step: number, field: Field): boolean => step >= 1 && step <= field.max - field.min;

function numberOf(text: string, field: Field): number {
  const named = field.names.indexOf(text.toLowerCase());
  if (named !== -1) return field.min + named;
  const value = /^\d{1,2}$/.test(text) ? Number(text) : NaN;
  return value >= field.min && value <= field.max ? value : NaN;
}

/** Whether the day is in none of the months: crontab would keep silent about `0 0 30 2 *` for ever. */
function neverFires([, , days = "", months = "", weekdays]: readonly string[]): boolean {
  if (weekdays?.startsWith("*") !== true) return false; // day and weekday are alternatives in crontab
  const firstDay = Math.min(...days.split(",").map((item) => rangeOf(item, DAY)?.[0] ?? 1));
  const longest = months.split(",").map((item) => {
    const [from, to] = rangeOf(item, MONTH) ?? [1, 12];
    return Math.max(...LONGEST_DAYS.slice(from - 1, to));
  });
  return firstDay > Math.max(...longest);
}

/** When a cron expression fires: the values of its fields, each in ascending order. */
export interface CronTimes {
  readonly minutes: readonly number[];
  readonly hours: readonly number[];
  readonly days: readonly number[];
  readonly months: readonly number[];
  /** 0 to 6, from Sunday. */
  readonly weekdays: readonly number[];
  /** Neither day nor weekday begins with `*`: either of them is enough. Otherwise both have to fit. */
  readonly isEitherDay: boolean;
  /** Minute or hour begins with `*`: it keeps its rhythm over a clock change. Otherwise it fires once a time. */
  readonly isRhythm: boolean;
}

/** The times of a text that is a cron expression; undefined when it is none. */
export function cronTimes(text: string): CronTimes | undefined {
  const reading = readCron(text);
  if ("fault" in reading) return undefined;
  const parts = (NICKNAMES.get(reading.value) ?? reading.value).split(" ");
  const [minutes = [], hours = [], days = [], months = [], weekdays = []] = FIELDS.map((field, index) =>
    valuesOf(parts[index] ?? "", field),
  );
  const isOpen = (index: number): boolean => parts[index]?.startsWith("*") === true;
  return {
    minutes,
    hours,
    days,
    months,
    weekdays: ascending(weekdays.map((weekday) => weekday % 7)),
    isEitherDay: !isOpen(2) && !isOpen(4),
    isRhythm: isOpen(0) || isOpen(1),
  };
}

const valuesOf = (part: string, field: Field): readonly number[] =>
  ascending(
    part.split(",").flatMap((item) => {
      const [from, to, by] = rangeOf(item, field) ?? [0, -1, 1];
      return Array.from({ length: Math.floor((to - from) / by) + 1 }, (_, nth) => from + nth * by);
    }),
  );

const ascending = (values: readonly number[]): readonly number[] =>
  [...new Set(values)].sort((one, other) => one - other);

/** How often cron starts a run: a duration (ms) or a cron expression. */
export const CADENCE: ValueType<number | string> = {
  name: "duration or cron expression",
  read: (text) => {
    const ms = parseDuration(text);
    if (ms !== undefined) return ms > 0 ? { value: ms } : { fault: "is no time at all (try 10m)" };
    if (/^\S+$/.test(text) && !text.startsWith("@")) {
      return { fault: "is neither a duration nor a cron expression (try 10m or */10 * * * *)" };
    }
    return readCron(text);
  },
  ofNumber: (value) => `${String(value)}ms`,
};

/** A name of the time zone database. */
export const TIMEZONE: ValueType<string> = {
  name: "time zone",
  read: (text) =>
    /^[A-Za-z]/.test(text) && isTimezone(text)
      ? { value: text }
      : { fault: "is not a time zone (try Europe/Berlin or UTC)" },
};

function isTimezone(text: string): boolean {
  try {
    new Intl.DateTimeFormat("en", { timeZone: text });
    return true;
  } catch {
    return false; // RangeError is how Intl says no
  }
}
