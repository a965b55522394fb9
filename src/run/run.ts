import { MemqError, EXIT, describeError, worstExit } from "../errors.ts";
import type { Broker, Depth } from "../ports/broker.ts";
import { afterwards, type Afterwards } from "./afterwards.ts";
import { guardExit } from "./exit-guard.ts";
import { lossExit, Tally, type QueueReport, type RunReport } from "./report.ts";
import { tellLosses } from "./losses.ts";
import { catchStrays } from "./strays.ts";
import { warningsOf } from "../telemetry/warnings.ts";
import { visit, type VisitEnd, type VisitParts } from "./visit.ts";
import { waitingHint } from "./waiting-hint.ts";

/** One queue of a run: how its broker is opened, and what its visit needs besides. */
export interface QueueRun extends Omit<VisitParts, "broker">, Afterwards {
  readonly queue: string;
  readonly open: () => Promise<Broker>;
  /** Awaited when the work is over, before it is reported. Never rejects. */
  readonly atEnd?: () => Promise<void>;
}

/** Drains queues side by side. One that cannot be served is reported; the others are drained all the same. */
export async function runQueues(queues: readonly QueueRun[]): Promise<RunReport> {
  return drainAll(queues.map((queue) => ({ ...queue, tally: new Tally(queue.tell) })));
}

/** The same in a process that does nothing else: handlers can neither exit it nor crash it with stray errors. */
export async function runQueuesGuarded(queues: readonly QueueRun[]): Promise<RunReport> {
  const tallied = queues.map((queue) => ({ ...queue, tally: new Tally(queue.tell) }));
  const restoreExit = guardExit();
  const releaseStrays = catchStrays(tallied.map(({ queue, tally }) => ({ queue, tell: tally.listen })));
  try {
    return await drainAll(tallied);
  } finally {
    releaseStrays();
    restoreExit();
  }
}

type Tallied = QueueRun & { readonly tally: Tally };

async function drainAll(queues: readonly Tallied[]): Promise<RunReport> {
  const reports = await Promise.all(queues.map(runQueue));
  return { queues: reports, exit: worstExit(reports.flatMap(exitsOf)) };
}

async function runQueue(parts: Tallied): Promise<QueueReport> {
  const startedAtMs = performance.now();
  const { queue, tally } = parts;
  parts.onHost?.runs.start(parts.clock.now());
  const end = await endOf(parts);
  await parts.atEnd?.();
  const ms = Math.round((performance.now() - startedAtMs) * 1_000) / 1_000; // finer is noise
  const counts = tally.counts();
  return afterwards(parts, { queue, ...counts, ms, ...end });
}

type End = Pick<QueueReport, "ended" | "left" | "failure" | "until" | "holders" | "warnings" | "hint">;

async function endOf(parts: Tallied): Promise<End> {
  try {
    const broker = await parts.open();
    const end = await visit({ ...parts, broker, tell: parts.tally.listen });
    const depth = await lastLook(parts, broker, end);
    const failure = failureOf(parts, end);
    const hint = hintOf(parts, end);
    const until = untilOf(end, depth);
    return {
      ended: end.ended,
      left: depth.waiting + depth.delayed + depth.running,
      ...(end.ended === "full" && { holders: end.holders }),
      ...(failure !== undefined && { failure }),
      ...(hint !== undefined && { hint }),
      ...(until !== undefined && { until }),
      // A surplus run keeps quiet: those who are at work will say it.
      warnings: end.ended === "full" ? [] : warningsOf(depth, parts.warn ?? {}, parts.clock.now()),
    };
  } catch (error) {
    const code = error instanceof MemqError ? error.code : "BUG";
    return { ended: "failed", left: undefined, failure: { code, message: describeError(error) } };
  }
}

/** What was lost is told; answers what is left. */
async function lastLook(parts: Tallied, broker: Broker, end: VisitEnd): Promise<Depth> {
  const [depth] = await Promise.all([end.depth ?? broker.depth(), tellLosses(broker, parts)]);
  return depth;
}

function hintOf({ tally, concurrency }: Tallied, { effort }: VisitEnd): string | undefined {
  return waitingHint({ effort, concurrency, tasks: tally.done + tally.retried + tally.dead });
}

/** What it would have had to wait for; undefined: nothing, or nobody knows how long. */
function untilOf({ ended }: VisitEnd, { nextDueAt, pausedUntil = Infinity }: Depth): number | undefined {
  if (ended === "due") return nextDueAt;
  return ended === "paused" && Number.isFinite(pausedUntil) ? pausedUntil : undefined;
}

/** What failed in a visit that came to its end. */
function failureOf({ tally, onHost }: Tallied, { ended, holders }: VisitEnd): QueueReport["failure"] {
  if (tally.fault !== undefined) {
    return { code: "BUG", message: `a listener threw: ${describeError(tally.fault.thrown)}` };
  }
  if (ended !== "full" || onHost?.whenFull !== "fail") return undefined;
  return { code: "RUNS_FULL", message: `${atWork(holders.length)} on it already` };
}

const atWork = (count: number): string => (count === 1 ? "1 run works" : `${String(count)} runs work`);

/** How a run exits because of one of its queues. */
export const exitOf = (report: QueueReport): number => worstExit(exitsOf(report));

function exitsOf(report: QueueReport): readonly number[] {
  const { failure, dead } = report;
  return [
    failure === undefined ? EXIT.ok : new MemqError(failure.code, "").exit,
    lossExit(report),
    dead > 0 ? EXIT.deadLetters : EXIT.ok,
  ];
}
