import type { RunRecord } from "../host/run-record.ts";
import type { ToldLoss } from "../host/told-losses.ts";
import type { Depth, Loss } from "../ports/broker.ts";
import type { Progress } from "../task/result.ts";
import type { TaskRecord } from "../task/task.ts";
import { formatDuration } from "../task/duration.ts";
import { localTime } from "../telemetry/local-time.ts";
import { lossText } from "../telemetry/loss-text.ts";
import { counted } from "./printable.ts";
import { roughly } from "./roughly.ts";

/** What is known of a queue and of its runs on this host. Times in ms since 1970. */
export interface QueueView {
  readonly depth: Depth;
  readonly nowMs: number;
  /** The latest first. */
  readonly records: readonly RunRecord[];
  /** Runs at work now, and the most that may be. */
  readonly working: number;
  readonly maxRuns: number;
  /** Workers that live. Default: none. */
  readonly workers?: number;
  /** When a run last gave a sign of life; undefined: never on this host. */
  readonly lastRunAt: number | undefined;
  /** Cron's next tick after a time; undefined: nobody said when runs start. */
  readonly nextTick: ((afterMs: number) => number) | undefined;
  /** Tasks at a time in one run. */
  readonly concurrency: number;
  /** What was lost, and no run has told yet. Default: nothing. */
  readonly losses?: readonly Loss[];
  /** What runs and workers have told to be lost, the latest first. Default: nothing. */
  readonly toldLosses?: readonly ToldLoss[];
  /** Tasks that run and say how far they are; some, where there are many. Default: none. */
  readonly underWay?: readonly UnderWayTask[];
}

/** A running task and how far it says it is. */
export interface UnderWayTask {
  readonly record: TaskRecord;
  readonly progress: Progress;
}

// A queue that is worked off within this time is nobody's concern.
const SOON_MS = 60_000;

/** What matters about a queue, a sentence each; nothing when all is well. */
export function outlook(view: QueueView): readonly string[] {
  const late = [lateText(view)].flatMap((text) => text ?? []);
  return [...lossTexts(view), ...late, ...waitTexts(view), ...deadTexts(view.depth)];
}

// A loss is told once by a run; whoever reads no mail of runs shall find it nevertheless.
const LOSSES_SHOWN_MS = 7 * 86_400_000;

const lossTexts = ({ losses = [], toldLosses = [], nowMs }: QueueView): readonly string[] => [
  ...losses.map((loss) => `${lossText(loss)}; the next run or worker says it too`),
  ...toldTexts(toldLosses, nowMs),
];

/** What was told to be lost within a week, for people. */
export const toldTexts = (told: readonly ToldLoss[], nowMs: number): readonly string[] =>
  told
    .filter(({ at }) => nowMs - at <= LOSSES_SHOWN_MS)
    .map(({ at, text }) => `${text}, found out ${localTime(at)}`);

// Cron starts within the minute, and a busy machine takes its time.
const GRACE_MS = 60_000;

/** `no run for 34 min, expected every 10 min`; undefined: one is at work, or a worker, or none is overdue. */
export function lateText(view: QueueView): string | undefined {
  const { nextTick, lastRunAt, nowMs, working, workers = 0, depth } = view;
  if (nextTick === undefined || working + workers > 0) return undefined;
  if (lastRunAt === undefined) return neverText(depth, nowMs, nextTick);
  const expectedAt = nextTick(lastRunAt);
  const spanMs = nextTick(expectedAt) - expectedAt;
  if (nowMs <= expectedAt + Math.max(GRACE_MS, spanMs / 10)) return undefined;
  return `no run for ${roughly(nowMs - lastRunAt)}, expected every ${roughly(spanMs)}`;
}

/** A host that only publishes has no runs; tasks that nobody fetched in time tell that it should. */
function neverText(
  { oldestWaitingAt }: Depth,
  nowMs: number,
  nextTick: (afterMs: number) => number,
): string | undefined {
  if (oldestWaitingAt === undefined || nowMs <= nextTick(oldestWaitingAt) + GRACE_MS) return undefined;
  const expectedAt = nextTick(nowMs);
  return `no run on this host yet, expected every ${roughly(nextTick(expectedAt) - expectedAt)}`;
}

function waitTexts(view: QueueView): readonly string[] {
  const { depth, nowMs } = view;
  if (depth.waiting === 0 || depth.oldestWaitingAt === undefined) return [];
  const oldestMs = nowMs - depth.oldestWaitingAt;
  const clearMs = clearIn(view);
  if (oldestMs < SOON_MS && (clearMs ?? 0) < SOON_MS) return [];
  const clear =
    clearMs === undefined
      ? "no run has shown its pace yet"
      : `clear in about ${roughly(clearMs)} at this pace`;
  return [`oldest waits ${roughly(oldestMs)}, ${clear}`, ...adviceTexts(view, clearMs)];
}

const deadTexts = ({ dead }: Depth): readonly string[] =>
  dead === 0
    ? []
    : [`${counted(dead, "dead letter")}: memq list dead shows why, memq retry --all puts them back`];

/** What recent runs achieved together: tasks, and the ms they took. */
interface Pace {
  readonly tasks: number;
  readonly ms: number;
}

// Enough to even out, few enough to be about today.
const RECENT = 20;

function paceOf(records: readonly RunRecord[]): Pace | undefined {
  const useful = records
    // A worker's time is mostly waiting for tasks: it shows no pace.
    .flatMap(({ end, worker }) => (end !== undefined && worker !== true && tasksOf(end) > 0 ? [end] : []))
    .slice(0, RECENT);
  if (useful.length === 0) return undefined;
  const tasks = useful.reduce((sum, end) => sum + tasksOf(end), 0);
  return { tasks, ms: useful.reduce((sum, { workedMs }) => sum + Math.max(1, workedMs), 0) };
}

const tasksOf = ({ done, retried, dead }: { done: number; retried: number; dead: number }): number =>
  done + retried + dead;

/** In how many ms the queue is empty when runs go on as they did; undefined: there is no telling. */
export function clearIn(view: QueueView): number | undefined {
  const { records, depth, nextTick, nowMs } = view;
  const working = view.working + (view.workers ?? 0);
  const pace = paceOf(records);
  if (pace === undefined) return undefined;
  const workMs = (depth.waiting * pace.ms) / pace.tasks / Math.max(1, working);
  return working > 0 || nextTick === undefined ? workMs : workMs + Math.max(0, nextTick(nowMs) - nowMs);
}

/** What would make it faster, when it takes longer than the time to the next run. */
function adviceTexts(view: QueueView, clearMs: number | undefined): readonly string[] {
  const { nextTick, nowMs, working, maxRuns, records } = view;
  const pace = paceOf(records);
  if (clearMs === undefined || pace === undefined) return [];
  const spanMs = nextTick === undefined ? TEN_MINUTES_MS : nextTick(nextTick(nowMs)) - nextTick(nowMs);
  if (clearMs <= spanMs) return [];
  return [working >= maxRuns ? fullAdvice(view) : paceAdvice(view, pace)];
}

const TEN_MINUTES_MS = 600_000;
// A faster handler hardly ever waits for something: more at a time would not help it much.
const SLOW_TASK_MS = 20;

const fullAdvice = ({ working, concurrency }: QueueView): string =>
  `all ${String(working)} runs are at work: raise max-runs, or concurrency (now ${String(concurrency)})`;

function paceAdvice({ concurrency }: QueueView, { tasks, ms }: Pace): string {
  const eachMs = (ms / tasks) * concurrency;
  const each = `a task takes about ${formatDuration(eachMs)}`;
  if (eachMs < SLOW_TASK_MS) return `${each}: start runs more often, or several at a time`;
  return `${each}, ${String(concurrency)} at a time in a run: raise concurrency, or start more runs`;
}
