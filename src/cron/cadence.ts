import { CADENCE, cronTimes, type CronTimes } from "../config/cadence.ts";
import type { Reading } from "../config/reading.ts";
import { formatDuration } from "../task/duration.ts";
import { timesInWords } from "./times-in-words.ts";

/** How often cron starts a run. */
export interface Cadence {
  /** As it stands in a crontab: five fields, or a nickname such as `@hourly`. */
  readonly cron: string;
  readonly times: CronTimes;
  /** For people: `every 10 minutes`. */
  readonly words: string;
}

/** The cadence of a crontab that nobody asked for another. */
export const DEFAULT_EVERY = "*/10 * * * *";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
const WEEK_MS = 7 * DAY_MS;

/** The cadence that a text means: `*\/5 * * * *`, `@hourly`, `10m`. */
export function readCadence(text: string): Reading<Cadence> {
  const reading = CADENCE.read(text);
  return "value" in reading ? cadenceOf(reading.value) : reading;
}

/** The cadence of a duration in ms, or of a cron expression. Cron has no durations: not every one can be kept. */
export function cadenceOf(every: number | string): Reading<Cadence> {
  const cron = typeof every === "string" ? every : cronOf(every);
  if (cron === undefined) return { fault: unkept(Number(every)) };
  const times = cronTimes(cron);
  if (times === undefined) return { fault: "is not a cron expression" };
  return { value: { cron, times, words: timesInWords(times) } };
}

/** Cron counts from the hour and from midnight: a span that does not divide them would limp there. */
function cronOf(ms: number): string | undefined {
  if (ms === MINUTE_MS) return "* * * * *";
  if (ms < HOUR_MS) return HOUR_MS % ms === 0 ? step(ms / MINUTE_MS, (by) => `*/${by} * * * *`) : undefined;
  if (ms === HOUR_MS) return "0 * * * *";
  if (ms < DAY_MS) return DAY_MS % ms === 0 ? step(ms / HOUR_MS, (by) => `0 */${by} * * *`) : undefined;
  if (ms === DAY_MS) return "0 0 * * *";
  return ms === WEEK_MS ? "0 0 * * 0" : undefined;
}

const step = (by: number, write: (by: string) => string): string | undefined =>
  Number.isInteger(by) ? write(String(by)) : undefined;

/** Every duration that cron can keep, in ms. */
const KEPT_MS: readonly number[] = [
  ...[1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30].map((minutes) => minutes * MINUTE_MS),
  ...[1, 2, 3, 4, 6, 8, 12].map((hours) => hours * HOUR_MS),
  DAY_MS,
  WEEK_MS,
];

function unkept(ms: number): string {
  const near = [KEPT_MS.findLast((kept) => kept < ms), KEPT_MS.find((kept) => kept > ms)];
  const shown = near.flatMap((kept) => (kept === undefined ? [] : [written(kept)]));
  return `is nothing that cron can keep, which counts from the full hour and from midnight (try ${shown.join(" or ")})`;
}

/** As one writes it: without the blank between two units. */
const written = (ms: number): string => formatDuration(ms).replaceAll(" ", "");
