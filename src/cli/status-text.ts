import type { QueueConfig } from "../config/config.ts";
import type { Depth } from "../ports/broker.ts";
import { formatDuration } from "../task/duration.ts";
import { columns } from "./columns.ts";
import { heading } from "./emphasis.ts";
import type { Io } from "./io.ts";
import { counted, isoTime } from "./printable.ts";
import { localTime } from "../telemetry/local-time.ts";
import { outlook, clearIn, type QueueView } from "./queue-outlook.ts";
import { progressJson, progressText } from "./progress-text.ts";
import { brokerJson, brokerText, type Answers } from "./queues.ts";
import { callText } from "./task-text.ts";

/** The queues that were asked, and what is known of those that answered. */
export interface Status {
  readonly queues: readonly QueueConfig[];
  readonly views: Answers<QueueView>;
  readonly nowMs: number;
}

const viewIn = ({ views }: Status, queue: QueueConfig): QueueView | undefined =>
  views.answers.find((answer) => answer.queue === queue)?.value;

/** The status as people read it: first what matters, then a line for every queue. */
export function statusText(status: Status, io: Io): string {
  const matters = status.queues.flatMap((queue) => {
    const view = viewIn(status, queue);
    return view === undefined ? [] : outlook(view).map((text) => `${queue.name}: ${text}`);
  });
  return [...matters, ...(matters.length > 0 ? [""] : []), statusTable(status, io)].join("\n");
}

const HEADINGS = ["queue", "waiting", "delayed", "running", "dead", "oldest waits", "next due", "kept in"];
const NUMBERS = [1, 2, 3, 4];
const UNKNOWN = "?";
const NONE = "-";

function statusTable(status: Status, io: Io): string {
  const rows = status.queues.map((queue) => [
    queue.name,
    ...depthCells(viewIn(status, queue)?.depth, status.nowMs),
    brokerText(queue),
  ]);
  const [headings = "", ...lines] = columns([HEADINGS, ...rows], { right: NUMBERS });
  const pauses = status.views.answers.flatMap(({ queue, value }) =>
    pauseLine(queue.name, value.depth, status.nowMs),
  );
  const workers = status.views.answers.flatMap(({ queue, value: { workers: living = 0 } }) =>
    living === 0 ? [] : [`queue ${queue.name} has ${counted(living, "worker")}`],
  );
  const underWay = status.views.answers.flatMap(({ queue, value }) => underWayLines(queue, value));
  return [heading(headings, io), ...lines, ...pauses, ...workers, ...underWay].join("\n");
}

function depthCells(depth: Depth | undefined, nowMs: number): readonly string[] {
  if (depth === undefined) return [UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN];
  const { waiting, delayed, running, dead, oldestWaitingAt, nextDueAt } = depth;
  return [
    ...[waiting, delayed, running, dead].map(String),
    oldestWaitingAt === undefined ? NONE : formatDuration(Math.max(0, nowMs - oldestWaitingAt)),
    nextDueAt === undefined ? NONE : `in ${formatDuration(Math.max(0, nextDueAt - nowMs))}`,
  ];
}

const isPaused = ({ pausedUntil }: Depth, nowMs: number): boolean =>
  pausedUntil !== undefined && pausedUntil > nowMs;

function pauseLine(queue: string, depth: Depth, nowMs: number): readonly string[] {
  const { pausedUntil = Infinity } = depth;
  if (!isPaused(depth, nowMs)) return [];
  const until = Number.isFinite(pausedUntil)
    ? `until ${localTime(pausedUntil)} (${formatDuration(pausedUntil - nowMs)} to go)`
    : "until it is resumed";
  return [`queue ${queue} is paused ${until}`];
}

const CALL_WIDTH = 60;

const underWayLines = (queue: QueueConfig, { underWay = [] }: QueueView): readonly string[] =>
  underWay.map(
    ({ record, progress }) =>
      `queue ${queue.name}: task ${record.id} ${callText({ queue, record }, CALL_WIDTH)} is at ${progressText(progress)}`,
  );

/** The same for programs. */
export function statusJson(status: Status): object {
  const shown = status.queues.map((queue) => {
    const about = { queue: queue.name, broker: brokerJson(queue) };
    const failure = status.views.failures.find((one) => one.queue === queue);
    if (failure !== undefined) {
      const { code, message } = failure.error;
      return { ...about, error: { code, message } };
    }
    const view = viewIn(status, queue);
    return { ...about, ...(view !== undefined && viewJson(view)) };
  });
  return { queues: shown };
}

function viewJson(view: QueueView): object {
  const clearInMs = view.depth.waiting > 0 ? clearIn(view) : undefined;
  return {
    ...depthJson(view.depth, view.nowMs),
    runs: view.working,
    workers: view.workers ?? 0,
    ...(view.lastRunAt !== undefined && { lastRunAt: isoTime(view.lastRunAt) }),
    ...(clearInMs !== undefined && { clearInMs: Math.round(clearInMs) }),
    matters: outlook(view),
    underWay: (view.underWay ?? []).map(({ record, progress }) => ({
      id: record.id,
      ...progressJson(progress),
    })),
  };
}

function depthJson(depth: Depth, nowMs: number): object {
  const { oldestWaitingAt, nextDueAt, pausedUntil = Infinity, ...counts } = depth;
  return {
    ...counts,
    paused: isPaused(depth, nowMs),
    ...(oldestWaitingAt !== undefined && { oldestWaitingAt: isoTime(oldestWaitingAt) }),
    ...(nextDueAt !== undefined && { nextDueAt: isoTime(nextDueAt) }),
    ...(Number.isFinite(pausedUntil) && isPaused(depth, nowMs) && { pausedUntil: isoTime(pausedUntil) }),
  };
}
