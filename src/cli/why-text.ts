import type { QueueConfig } from "../config/config.ts";
import type { SlotHolder } from "../host/run-slots.ts";
import { formatDuration } from "../task/duration.ts";
import type { TaskRecord } from "../task/task.ts";
import { counted, cut, printable } from "./printable.ts";
import { localTime } from "../telemetry/local-time.ts";
import { lateText, type QueueView } from "./queue-outlook.ts";
import { brokerText } from "./queues.ts";
import { callText } from "./task-text.ts";

/** A task, and everything around it that decides when it runs. */
export interface Circumstances {
  readonly queue: QueueConfig;
  readonly record: TaskRecord;
  readonly view: QueueView;
  /** The runs at work on this host. */
  readonly holders: readonly SlotHolder[];
}

const CALL_WIDTH = 80;
const ERROR_WIDTH = 200;

/** One paragraph: where the task is, what it waits for, when it will run, and what would change that. */
export function whyText(about: Circumstances): string {
  const { queue, record } = about;
  const name = `Task ${record.id}, ${callText({ queue, record }, CALL_WIDTH)},`;
  return [`${name} ${placeText(about)}`, ...historyTexts(record), ...futureTexts(about)].join(" ");
}

function placeText({ queue, record, view }: Circumstances): string {
  const { state, at, holder } = record;
  const where = `queue ${queue.name} (${brokerText(queue)})`;
  const ago = formatDuration(Math.max(0, view.nowMs - at));
  const ahead = formatDuration(Math.max(0, at - view.nowMs));
  switch (state) {
    case "waiting":
      return `waits in ${where} since ${localTime(at)} (${ago}).`;
    case "delayed":
      return `is in ${where} and falls due at ${localTime(at)} (in ${ahead}).`;
    case "running":
      return at > view.nowMs
        ? `is being run out of ${where} by ${holder ?? "somebody"}.`
        : `was being run out of ${where} when ${holder ?? "the run that held it"} ended.`;
    case "dead":
      return `is a dead letter of ${where} since ${localTime(at)} (${ago}).`;
  }
}

function historyTexts({ attempts, error, state }: TaskRecord): readonly string[] {
  const said = error === undefined ? "" : cut(printable(error.trim()), ERROR_WIDTH);
  if (state === "dead") return [said === "" ? "Nothing is known of why." : `It says: ${said}.`];
  if (attempts === 0) return [];
  const tried =
    state === "running" ? `This is attempt ${String(attempts)}` : `It was tried ${times(attempts)}`;
  return [said === "" ? `${tried}.` : `${tried}; the last one that failed said: ${said}.`];
}

const times = (count: number): string => (count === 1 ? "once" : counted(count, "time"));

function futureTexts(about: Circumstances): readonly string[] {
  const { id, state } = about.record;
  switch (state) {
    case "waiting":
      return [...pauseTexts(about.view), ...runTexts(about, about.view.nowMs)];
    case "delayed":
      return [
        ...pauseTexts(about.view),
        ...runTexts(about, about.record.at),
        `memq cancel ${id} removes it before that.`,
      ];
    case "running":
      return runningTexts(about);
    case "dead":
      return [`No run will take it again until memq retry ${id} puts it back; memq purge dead removes it.`];
  }
}

function runningTexts(about: Circumstances): readonly string[] {
  const { record, view } = about;
  if (record.at <= view.nowMs) return runTexts(about, view.nowMs);
  const lease = formatDuration(Math.max(0, record.at - view.nowMs));
  return [
    `Its lease ends in ${lease} unless it is renewed, as living holders do.`,
    "If the holder dies, the next run on its host takes the task at once, and any other when the lease has ended.",
  ];
}

const isPaused = ({ depth: { pausedUntil = 0 }, nowMs }: QueueView): boolean => pausedUntil > nowMs;

function pauseTexts(view: QueueView): readonly string[] {
  const { pausedUntil = Infinity } = view.depth;
  if (!isPaused(view)) return [];
  if (!Number.isFinite(pausedUntil))
    return ["The queue is paused until it is resumed: no run takes anything from it."];
  return [`The queue is paused until ${localTime(pausedUntil)}: before that no run takes anything from it.`];
}

/** Which run will take it; `fromMs`: from when on it may be run. */
function runTexts({ queue, view, holders }: Circumstances, fromMs: number): readonly string[] {
  const { workers = 0 } = view;
  const runs = workers > 0 && holders.length === 0 ? [] : [workingText(view, holders)];
  return [
    ...workerTexts(workers),
    ...runs,
    ...(workers > 0 ? [] : [nextRunText(queue, view, fromMs)]),
    ...[lateText(view)].flatMap((late) =>
      late === undefined ? [] : [`But there was ${late}: look at cron.`],
    ),
    ...(isPaused(view) ? [] : [`runjobs -q ${queue.name} runs what is due now.`]),
  ];
}

const workerTexts = (workers: number): readonly string[] =>
  workers === 0
    ? []
    : [`${counted(workers, "worker")} on this host: whichever is free first takes it when its turn comes.`];

function workingText({ maxRuns, depth }: QueueView, holders: readonly SlotHolder[]): string {
  if (holders.length === 0) return "No run is at work on this queue on this host.";
  const who = holders.map(({ name, sinceMs }) => `${name} since ${localTime(sinceMs)}`).join(", ");
  const runs = `${counted(holders.length, "run")} of at most ${String(maxRuns)} (${who})`;
  const verb = holders.length === 1 ? "works" : "work";
  const before = `${counted(depth.waiting, "task")} waiting`;
  const full =
    holders.length >= maxRuns
      ? " No further run joins them before one ends: max-runs would have to be raised."
      : "";
  return `${runs} ${verb} on this queue, oldest task first, with ${before}.${full}`;
}

function nextRunText({ cover }: QueueConfig, { nextTick, depth, nowMs }: QueueView, fromMs: number): string {
  if (nextTick === undefined) return "When the next run starts is not known here: set every in config.ini.";
  const { pausedUntil = 0 } = depth;
  if (!Number.isFinite(pausedUntil)) return "";
  const mayMs = Math.max(fromMs, pausedUntil);
  const tickMs = nextTick(Math.max(nowMs, mayMs - 1));
  if (cover && mayMs > nowMs && mayMs < tickMs) {
    return `The run that covers that time (cover = on) takes it at ${localTime(mayMs)}.`;
  }
  return `The next run that may take it starts at ${localTime(tickMs)} (in ${formatDuration(tickMs - nowMs)}).`;
}
