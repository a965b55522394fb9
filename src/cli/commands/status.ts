import type { QueueConfig } from "../../config/config.ts";
import { worstExit } from "../../errors.ts";
import type { Depth } from "../../ports/broker.ts";
import { formatDuration } from "../../task/duration.ts";
import { columns } from "../columns.ts";
import { heading } from "../emphasis.ts";
import { isoTime, localTime } from "../printable.ts";
import { assertNoWords } from "../options.ts";
import { askQueues, brokerJson, brokerText, chooseQueues, complainOfQueues } from "../queues.ts";
import type { Answers } from "../queues.ts";
import type { Session } from "../shell.ts";

/** `memq status`: the depth of every queue. A queue that cannot be asked is named, the others are shown. */
export async function status(session: Session): Promise<number> {
  assertNoWords(session.parsed, "memq status");
  const { memq, queues, exit } = chooseQueues(session);
  const depths = await askQueues(memq, queues, (broker) => broker.depth());
  const nowMs = Date.now();
  if (session.parsed.flag("json")) session.print(JSON.stringify(statusJson(queues, depths, nowMs)));
  else if (queues.length > 0) session.print(statusTable(session, { queues, depths, nowMs }));
  return worstExit([exit, complainOfQueues(session, depths.failures)]);
}

const HEADINGS = ["queue", "waiting", "delayed", "running", "dead", "oldest waits", "next due", "kept in"];
const NUMBERS = [1, 2, 3, 4];
const UNKNOWN = "?";
const NONE = "-";

interface Shown {
  readonly queues: readonly QueueConfig[];
  readonly depths: Answers<Depth>;
  readonly nowMs: number;
}

function statusTable({ io }: Session, { queues, depths, nowMs }: Shown): string {
  const rows = queues.map((queue) => {
    const depth = depths.answers.find((answer) => answer.queue === queue)?.value;
    return [queue.name, ...depthCells(depth, nowMs), brokerText(queue)];
  });
  const [headings = "", ...lines] = columns([HEADINGS, ...rows], { right: NUMBERS });
  const pauses = depths.answers.flatMap(({ queue, value }) => pauseLine(queue.name, value, nowMs));
  return [heading(headings, io), ...lines, ...pauses].join("\n");
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

function statusJson(queues: readonly QueueConfig[], depths: Answers<Depth>, nowMs: number): object {
  const shown = queues.map((queue) => {
    const about = { queue: queue.name, broker: brokerJson(queue) };
    const failure = depths.failures.find((one) => one.queue === queue);
    if (failure !== undefined) {
      const { code, message } = failure.error;
      return { ...about, error: { code, message } };
    }
    const depth = depths.answers.find((answer) => answer.queue === queue)?.value;
    return { ...about, ...(depth !== undefined && depthJson(depth, nowMs)) };
  });
  return { queues: shown };
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
