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
const NICKNAMES = ["@hourly", "@daily", "@midnight", "@weekly", "@monthly", "@yearly", "@annually"];
const MAX_LENGTH = 200; // longer than any line that a person would read again
const EXAMPLE = "five fields: minute hour day month weekday, e.g. */10 * * * *";

/** A crontab line's time: five fields or a nickname such as @daily. Syntax only. */
export const CRON: ValueType<string> = { name: "cron expression", read: readCron };

function readCron(text: string): Reading<string> {
  if (NICKNAMES.includes(text)) return { value: text };
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

/** First and last value of `*`, `5`, `1-5`, or of these with a step; undefined when it is none of them. */
function rangeOf(item: string, field: Field): readonly [number, number] | undefined {
  const match = /^(?:(\*)|(\w+)(?:-(\w+))?)(?:\/(\d{1,2}))?$/.exec(item);
  if (match === null) return undefined;
  const [, all, first, last, step] = match;
  // `5/15` means something else in every cron, and `*/70` nothing in any.
  if (step !== undefined && (!isStep(Number(step), field) || (all === undefined && last === undefined))) {
    return undefined;
  }
  if (all !== undefined) return [field.min, field.max];
  const from = numberOf(first ?? "", field);
  const to = last === undefined ? from : numberOf(last, field);
  return from <= to ? [from, to] : undefined; // false too when either is no number
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
  if (weekdays !== "*") return false; // day and weekday are alternatives in crontab
  const firstDay = Math.min(...days.split(",").map((item) => rangeOf(item, DAY)?.[0] ?? 1));
  const longest = months.split(",").map((item) => {
    const [from, to] = rangeOf(item, MONTH) ?? [1, 12];
    return Math.max(...LONGEST_DAYS.slice(from - 1, to));
  });
  return firstDay > Math.max(...longest);
}

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
