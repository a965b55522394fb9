import { cronTimes } from "../config/cadence.ts";
import type { ScheduleConfig } from "../config/config.ts";
import { timesInWords } from "../cron/times-in-words.ts";
import { describeError, EXIT, MemqError, worstExit } from "../errors.ts";
import { findSchedule, recall } from "../schedule/control.ts";
import type { Memory } from "../schedule/memory.ts";
import { scheduleOf, type Schedule } from "../schedule/schedule.ts";
import { zonedText } from "../schedule/zone.ts";
import { formatDuration } from "../task/duration.ts";
import { columns } from "./columns.ts";
import { heading } from "./emphasis.ts";
import { tellFailures } from "./failures.ts";
import { wholeNumber } from "./option-values.ts";
import { cut, isoTime, printable } from "./printable.ts";
import type { Session } from "./shell.ts";

interface Shown {
  readonly config: ScheduleConfig;
  readonly schedule: Schedule;
  readonly memory: Memory | undefined;
  /** Why nothing is known of its past. */
  readonly error?: MemqError;
}

const HEADINGS = ["schedule", "fires", "queue", "last fired", "next", "task"];
const NONE = "-";
const UNKNOWN = "?";
const MAX_CALL_SHOWN = 60; // so that a row stays a line

/** `memq schedule list`: every schedule, with its times in words. */
export async function listSchedules(session: Session): Promise<number> {
  const memq = session.open();
  const shown = await Promise.all(
    chosen(session, memq.config.schedules).map(async (config): Promise<Shown> => {
      const schedule = scheduleOf(config);
      try {
        return { config, schedule, memory: await recall(memq, config) };
      } catch (error) {
        const known = error instanceof MemqError ? error : new MemqError("BUG", describeError(error));
        return { config, schedule, memory: undefined, error: known };
      }
    }),
  );
  const nowMs = Date.now();
  if (session.parsed.flag("json"))
    session.print(JSON.stringify({ schedules: shown.map((one) => listJson(one, nowMs)) }));
  else if (shown.length > 0) session.print(listTable(session, shown, nowMs));
  else session.say("The configuration has no schedules.");
  tellFailures(
    session,
    "schedule",
    shown.flatMap(({ config, error }) => (error === undefined ? [] : [{ name: config.name, error }])),
  );
  return worstExit(shown.map(({ error }) => error?.exit ?? EXIT.ok));
}

/** --queue narrows it to the schedules of one queue. */
function chosen({ parsed }: Session, schedules: readonly ScheduleConfig[]): readonly ScheduleConfig[] {
  const queue = parsed.text("queue");
  return queue === undefined ? schedules : schedules.filter((one) => one.queue === queue);
}

function listTable({ io }: Session, shown: readonly Shown[], nowMs: number): string {
  const rows = shown.map(({ config, schedule, memory, error }) => {
    const { fired } = memory ?? {};
    const last = fired === undefined ? NONE : zonedText(fired.timeMs, schedule.zone);
    const call = cut(printable(config.call), MAX_CALL_SHOWN);
    return [
      config.name,
      wordsOf(config),
      config.queue,
      error === undefined ? last : UNKNOWN,
      nextText(schedule, memory, nowMs),
      call,
    ];
  });
  const [headings = "", ...lines] = columns([HEADINGS, ...rows]);
  return [heading(headings, io), ...lines].join("\n");
}

function wordsOf({ cron, timezone }: ScheduleConfig): string {
  const times = cronTimes(cron);
  const words = times === undefined ? cron : timesInWords(times);
  return timezone === undefined ? words : `${words} (${timezone})`;
}

function nextText(schedule: Schedule, memory: Memory | undefined, nowMs: number): string {
  if (memory?.paused === true) return "paused";
  const at = schedule.calendar.next(nowMs);
  return at === undefined ? "never" : zonedText(at, schedule.zone);
}

function listJson({ config, schedule, memory, error }: Shown, nowMs: number): object {
  const next = schedule.calendar.next(nowMs);
  const { fired, paused = false } = memory ?? {};
  const { name, cron, timezone, queue, call, catchUp } = config;
  return {
    schedule: name,
    cron,
    ...(timezone !== undefined && { timezone }),
    words: wordsOf(config),
    queue,
    call,
    catchUp,
    paused,
    ...(fired !== undefined && {
      lastFiredFor: isoTime(fired.timeMs),
      lastFiredAt: isoTime(fired.atMs),
      lastId: fired.id,
    }),
    ...(next !== undefined && !paused && { nextAt: isoTime(next) }),
    ...(error !== undefined && { error: { code: error.code, message: error.message } }),
  };
}

const DEFAULT_TIMES = 5;
const MAX_TIMES = 1_000;

interface Coming {
  readonly atMs: number;
  readonly schedule: Schedule;
}

/** `memq schedule next`: the next times of one schedule, or of all together. Asks no broker. */
export function nextTimes(session: Session, name: string | undefined): Promise<number> {
  const memq = session.open();
  const configs = name === undefined ? chosen(session, memq.config.schedules) : [findSchedule(memq, name)];
  const count = Math.min(wholeNumber(session.parsed, "limit", 1) ?? DEFAULT_TIMES, MAX_TIMES);
  const nowMs = Date.now();
  const coming = configs
    .flatMap((config) => comingOf(scheduleOf(config), nowMs, count))
    .sort((one, other) => one.atMs - other.atMs)
    .slice(0, count);
  if (session.parsed.flag("json")) {
    session.print(
      JSON.stringify({
        next: coming.map(({ atMs, schedule }) => ({ schedule: schedule.name, at: isoTime(atMs) })),
      }),
    );
  } else if (coming.length > 0) session.print(nextLines(coming, nowMs, name === undefined).join("\n"));
  else session.say("Nothing will ever fire.");
  return Promise.resolve(EXIT.ok);
}

function comingOf(schedule: Schedule, nowMs: number, count: number): readonly Coming[] {
  const coming: Coming[] = [];
  for (let at = schedule.calendar.next(nowMs); at !== undefined && coming.length < count;) {
    coming.push({ atMs: at, schedule });
    at = schedule.calendar.next(at);
  }
  return coming;
}

const nextLines = (coming: readonly Coming[], nowMs: number, isMixed: boolean): readonly string[] =>
  columns(
    coming.map(({ atMs, schedule }) => [
      zonedText(atMs, schedule.zone),
      `in ${formatDuration(atMs - nowMs)}`,
      ...(isMixed ? [schedule.name] : []),
    ]),
  );
