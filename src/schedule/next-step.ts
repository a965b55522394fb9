import { CLOCK_CHANGE_MS } from "./calendar.ts";
import type { Memory } from "./memory.ts";
import type { Schedule } from "./schedule.ts";

/** Who looks at a schedule, and when. */
export interface Look {
  readonly nowMs: number;
  readonly host: string;
  /** Tells one looker from all others. */
  readonly by: string;
}

/** What is to be done about a schedule. */
export type Step =
  | { readonly kind: "rest" }
  /** Remember this; nothing is to be fired. `letGoMs`: the last of the times that are too late now. */
  | { readonly kind: "note"; readonly memory: Memory; readonly letGoMs?: number }
  /** Note the intent, then publish. `letGoMs`: the last of the times that are too many. */
  | {
      readonly kind: "fire";
      readonly memory: Memory;
      readonly times: readonly number[];
      readonly letGoMs?: number;
    };

/** When a schedule fires, and what it does about times that passed. */
export type Timing = Pick<Schedule, "written" | "calendar" | "catchUp" | "graceMs">;

const MINUTE_MS = 60_000;

/** The most times that `catch-up = all` makes up for: what comes after a long rest must not bury the queue. */
export const MAX_CATCH_UP = 100;

// Who wrote an intent publishes within seconds; after that, it is dead or stopped.
const INTENT_MS = MINUTE_MS;

// The clocks of hosts that are kept in step differ by less. A clock that was set back by less is waited for.
const TOLERANCE_MS = 5 * MINUTE_MS;

/** Decides what comes next, from what is remembered; undefined: nothing is. */
export function nextStep(schedule: Timing, memory: Memory | undefined, look: Look): Step {
  const known = memory?.written === schedule.written ? memory : begin(schedule, memory, look.nowMs);
  if (known.paused || isUnderWay(known, look.nowMs)) return noteIfNew(known, memory);
  if (known.firing !== undefined) return fire(known, { times: known.firing.times }, look);
  const agreed = agree(schedule, known, look);
  const due = dueTimes(schedule, agreed.lastMs, look.nowMs);
  if (due.times.length > 0) return fire(agreed, due, look);
  if (due.letGoMs === undefined) return noteIfNew(agreed, memory);
  return { kind: "note", memory: { ...agreed, lastMs: due.letGoMs }, letGoMs: due.letGoMs };
}

/** A schedule that is new, or has other times by now: what was before does not count, this minute does. */
export function begin(schedule: Timing, before: Memory | undefined, nowMs: number): Memory {
  const { undone: _undone, ...kept } = before ?? { paused: false };
  return { ...kept, written: schedule.written, lastMs: justBefore(nowMs) };
}

const justBefore = (nowMs: number): number => Math.floor(nowMs / MINUTE_MS) * MINUTE_MS - 1;

/** What is remembered once the tasks of some times are published; `id`: of the last one. */
export function fired(memory: Memory, times: readonly number[], last: { atMs: number; id: string }): Memory {
  const { firing: _firing, ...kept } = memory;
  const timeMs = Math.max(...times);
  return { ...kept, lastMs: Math.max(memory.lastMs, timeMs), fired: { timeMs, ...last } };
}

/** The same when nothing was published after all. */
export function withdrawn({ firing: _firing, ...kept }: Memory): Memory {
  return kept;
}

/** Paused: nothing is fired. Resumed: what fell into the pause is not made up for. */
export function paused(memory: Memory, isPaused: boolean, nowMs: number): Memory {
  if (isPaused || !memory.paused) return { ...memory, paused: isPaused };
  return { ...memory, paused: false, lastMs: Math.max(memory.lastMs, nowMs) };
}

const noteIfNew = (memory: Memory, before: Memory | undefined): Step =>
  memory === before ? { kind: "rest" } : { kind: "note", memory };

const isUnderWay = ({ firing }: Memory, nowMs: number): boolean =>
  firing !== undefined && Math.abs(nowMs - firing.sinceMs) < INTENT_MS;

interface Due {
  readonly times: readonly number[];
  readonly letGoMs?: number;
}

const fire = (memory: Memory, { times, letGoMs }: Due, { by, nowMs }: Look): Step => ({
  kind: "fire",
  memory: { ...memory, firing: { times, by, sinceMs: nowMs } },
  times,
  ...(letGoMs !== undefined && { letGoMs }),
});

/**
 * A last time that lies ahead comes from a clock that was wrong, or was set back since; as in cron(8), fixed times
 * are then waited for up to three hours, and a rhythm goes on at once. When another host lives in that time all
 * the same, it is this one's clock that is wrong: the other goes by what it had fired.
 */
function agree({ calendar }: Timing, memory: Memory, { nowMs, host }: Look): Memory {
  const aheadMs = memory.lastMs - nowMs;
  if (aheadMs > (calendar.isRhythm ? TOLERANCE_MS : CLOCK_CHANGE_MS)) {
    return { ...memory, lastMs: justBefore(nowMs), undone: { lastMs: memory.lastMs, host } };
  }
  const { undone, ...kept } = memory;
  if (undone === undefined || nowMs < undone.lastMs) return memory;
  return undone.host === host ? kept : { ...kept, lastMs: Math.max(memory.lastMs, undone.lastMs) };
}

function dueTimes({ calendar, catchUp, graceMs }: Timing, lastMs: number, nowMs: number): Due {
  if (catchUp === "all") return upTo(MAX_CATCH_UP, calendar.last(MAX_CATCH_UP + 1, lastMs, nowMs));
  const times = calendar.last(1, lastMs, nowMs);
  const [timeMs] = times;
  if (catchUp === "one" || timeMs === undefined || nowMs - timeMs <= graceMs) return { times };
  return { times: [], letGoMs: timeMs };
}

function upTo(most: number, times: readonly number[]): Due {
  const letGoMs = times.at(-1 - most);
  return { times: times.slice(-most), ...(letGoMs !== undefined && { letGoMs }) };
}
