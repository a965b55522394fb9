import { MemqError, EXIT, describeError } from "../errors.ts";
import type { Broker } from "../ports/broker.ts";
import { drain, type BatchParts } from "./batch.ts";
import { guardExit } from "./exit-guard.ts";
import { Tally, type QueueReport, type RunReport } from "./report.ts";
import { catchStrays } from "./strays.ts";

/** One queue of a run: how its broker is opened, and what its batch needs besides. */
export interface QueueRun extends Omit<BatchParts, "broker"> {
  readonly queue: string;
  readonly open: () => Promise<Broker>;
}

/** Drains queues side by side. One that cannot be served is reported; the others are drained all the same. */
export async function runQueues(queues: readonly QueueRun[]): Promise<RunReport> {
  const reports = await Promise.all(queues.map(runQueue));
  return { queues: reports, exit: worst(reports) };
}

/** The same in a process that does nothing else: handlers can neither exit it nor crash it with stray errors. */
export async function runQueuesGuarded(queues: readonly QueueRun[]): Promise<RunReport> {
  const restoreExit = guardExit();
  const releaseStrays = catchStrays(queues);
  try {
    return await runQueues(queues);
  } finally {
    releaseStrays();
    restoreExit();
  }
}

async function runQueue(parts: QueueRun): Promise<QueueReport> {
  const startedAtMs = performance.now();
  const tally = new Tally(parts.tell);
  const count = (): Omit<QueueReport, "ended" | "left"> => ({
    queue: parts.queue,
    done: tally.done,
    retried: tally.retried,
    dead: tally.dead,
    leasesLost: tally.leasesLost,
    losses: tally.losses,
    ms: performance.now() - startedAtMs,
  });
  try {
    const broker = await parts.open();
    const ended = await drain({ ...parts, broker, tell: tally.listen });
    for (const loss of await broker.losses()) tally.listen({ kind: "loss", queue: parts.queue, loss });
    return { ...count(), ended, left: await leftIn(broker) };
  } catch (error) {
    const code = error instanceof MemqError ? error.code : "BUG";
    return { ...count(), ended: "failed", left: undefined, failure: { code, message: describeError(error) } };
  }
}

async function leftIn(broker: Broker): Promise<number> {
  const { waiting, delayed, running } = await broker.depth();
  return waiting + delayed + running;
}

// From the least to the most alarming; the numbers of sysexits are not in that order.
const SEVERITY: readonly number[] = [
  EXIT.ok,
  EXIT.deadLetters,
  EXIT.tryLater,
  EXIT.usage,
  EXIT.data,
  EXIT.loss,
  EXIT.unreachable,
  EXIT.config,
  EXIT.bug,
];

/** The exit code of several queues: the most alarming one. */
export function worst(reports: readonly QueueReport[]): number {
  const exits = reports.map(exitOf);
  return exits.reduce((a, b) => (SEVERITY.indexOf(b) > SEVERITY.indexOf(a) ? b : a), EXIT.ok);
}

function exitOf(report: QueueReport): number {
  if (report.failure !== undefined) return new MemqError(report.failure.code, "").exit;
  if (report.losses.length > 0 || report.leasesLost > 0) return EXIT.loss;
  return report.dead > 0 ? EXIT.deadLetters : EXIT.ok;
}
