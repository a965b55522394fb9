import { cronTimes } from "../config/cadence.ts";
import type { ScheduleConfig } from "../config/config.ts";
import { MemqError } from "../errors.ts";
import { readCall } from "../task/call-text.ts";
import type { Call } from "../task/task.ts";
import { makeCalendar, type Calendar } from "./calendar.ts";
import { zoneOf, type Zone } from "./zone.ts";

/** A `[schedule.NAME]`, ready to be asked when it fires and what. */
export interface Schedule {
  readonly name: string;
  readonly queue: string;
  readonly call: Call;
  readonly catchUp: ScheduleConfig["catchUp"];
  readonly zone: Zone;
  readonly calendar: Calendar;
  /** What the configuration says about its times: when that changes, it begins anew. */
  readonly written: string;
  /** How late a time may be noticed and still be on time, in ms. Only `catch-up = none` lets later ones go. */
  readonly graceMs: number;
}

/** The schedule of a configuration. `every`: how often runs of its queue start, in ms or as a cron expression. */
export function scheduleOf(config: ScheduleConfig, every?: number | string): Schedule {
  const zone = zoneOf(config.timezone);
  return {
    name: config.name,
    queue: config.queue,
    call: readCall(config.call),
    catchUp: config.catchUp,
    zone,
    calendar: calendarOf(config.cron, zone),
    written: config.timezone === undefined ? config.cron : `${config.cron} ${config.timezone}`,
    graceMs: config.catchUp === "none" ? graceOf(every) : Infinity,
  };
}

/** @throws MemqError BUG when the text is no cron expression: the configuration has checked it. */
export function calendarOf(cron: string, zone: Zone): Calendar {
  const times = cronTimes(cron);
  if (times === undefined) throw new MemqError("BUG", `${JSON.stringify(cron)} is not a cron expression`);
  return makeCalendar(times, zone);
}

// Nobody said how often runs start: those of a crontab that runs once an hour are still on time.
const DEFAULT_GRACE_MS = 65 * 60_000;

/** One run may have been left out because the one before was still at it. */
function graceOf(every: number | string | undefined): number {
  if (every === undefined) return DEFAULT_GRACE_MS;
  return 2 * (typeof every === "number" ? every : gapOf(every));
}

/** The longest time between two of the next starts. */
function gapOf(cron: string): number {
  const calendar = calendarOf(cron, zoneOf("UTC"));
  let gapMs = 0;
  for (let starts = 0, at = calendar.next(0); at !== undefined && starts < MAX_STARTS; starts++) {
    const next = calendar.next(at);
    if (next !== undefined) gapMs = Math.max(gapMs, next - at);
    at = next;
  }
  return gapMs;
}

const MAX_STARTS = 1_500; // every minute for a day, or every day for years
