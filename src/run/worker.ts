import { describeError, EXIT, MemqError, worstExit } from "../errors.ts";
import type { QueueWorkers } from "../host/queue-workers.ts";
import type { RunSlot } from "../host/run-slots.ts";
import { afterwards } from "./afterwards.ts";
import { Backoff } from "./backoff.ts";
import { drain, type BatchEnd, type Staying } from "./batch.ts";
import { guardExit } from "./exit-guard.ts";
import { tellLosses } from "./losses.ts";
import { lossExit, Tally, type QueueReport, type RunReport } from "./report.ts";
import type { QueueRun } from "./run.ts";
import { catchStrays } from "./strays.ts";
import { Vigil } from "./vigil.ts";

/** One queue of a worker. */
export interface WorkerQueue extends QueueRun {
  /** Where this host knows of the queue's workers. */
  readonly workers: QueueWorkers;
}

/** How a worker gets on with its process. */
export interface WorkerCare {
  /** The process does nothing else: handlers can neither exit nor crash it, and one that hangs ends its work. */
  readonly ownsProcess: boolean;
  /** Aborted: claim no more, hand back what is not started, and end when what runs has ended. */
  readonly leave?: AbortSignal;
  /** Told once, when the handlers of a queue are loaded and it is worked on. */
  readonly onReady?: () => void;
  /** Told once, when it has tried to begin with each queue: of those whose handlers it cannot use. */
  readonly onBegun?: (lacks: readonly string[]) => void;
  /** Told once, when it was ready, claims no more and is about to end. */
  readonly onLeaving?: () => void;
  /** Told of an attempt that may be its task's last, with its timeout in ms; what it answers is called when it has ended. */
  readonly atRisk?: (queue: string, id: string, timeoutMs: number) => () => void;
}

/**
 * Works on queues side by side until it is stopped or a limit is reached. A queue that cannot be served is told, and
 * tried again; only when none of them ever could be, for want of handlers, the worker ends by itself.
 */
export async function workOn(queues: readonly WorkerQueue[], care: WorkerCare): Promise<RunReport> {
  const worker = new Worker(queues, care);
  const restoreExit = care.ownsProcess ? guardExit() : nothing;
  const releaseStrays = care.ownsProcess ? catchStrays(worker.told) : nothing;
  try {
    return await worker.work();
  } finally {
    releaseStrays();
    restoreExit();
  }
}

const nothing = (): void => undefined;

// What a server that was restarted has lost is found out within this time: a look is one small question.
const LOSSES_MS = 5_000;

type Tallied = WorkerQueue & { readonly tally: Tally };
type End = Pick<QueueReport, "ended" | "failure">;

class Worker {
  readonly #queues: readonly Tallied[];
  readonly #care: WorkerCare;
  readonly #leaving = new AbortController();
  readonly #places: RunSlot[] = [];
  #vigil: Vigil | undefined;
  #isReady = false;
  #ended: BatchEnd | undefined;
  /** Queues that cannot be served as long as the handlers are what they are. */
  readonly #hopeless = new Set<string>();
  /** Queues that it has not tried to begin with. */
  readonly #untried: Set<string>;

  constructor(queues: readonly WorkerQueue[], care: WorkerCare) {
    this.#queues = queues.map((queue) => ({ ...queue, tally: new Tally(queue.tell) }));
    this.#care = care;
    this.#untried = new Set(queues.map(({ queue }) => queue));
  }

  /** Who is told of stray errors. */
  get told(): Parameters<typeof catchStrays>[0] {
    return this.#queues.map(({ queue, tally }) => ({ queue, tell: tally.listen }));
  }

  async work(): Promise<RunReport> {
    const { leave } = this.#care;
    const signals = [...(leave === undefined ? [] : [leave]), ...this.#queues.map(({ stop }) => stop)];
    for (const signal of signals) signal.addEventListener("abort", this.#leave, { once: true });
    if (signals.some(({ aborted }) => aborted)) this.#leave();
    this.#beginVigil();
    try {
      const reports = await Promise.all(this.#queues.map((queue) => this.#workOn(queue)));
      return { queues: reports, exit: worstExit(reports.flatMap(exitsOf)) };
    } finally {
      for (const signal of signals) signal.removeEventListener("abort", this.#leave);
      this.#vigil?.end();
      for (const place of this.#places) place.release();
    }
  }

  /** Whoever owns the process lets others end it when it comes to a standstill; else nobody is to be ended. */
  #beginVigil(): void {
    for (const { workers } of this.#queues) {
      try {
        this.#places.push(workers.join());
      } catch {
        // Nobody sees that it works there; what keeps a store from being written is told by the store.
      }
    }
    const mayBlock = (ms: number): void => {
      for (const place of this.#places) place.mayBlock(ms);
    };
    this.#vigil = new Vigil({
      onHang: (queue, task) => {
        this.#queues.find((one) => one.queue === queue)?.tally.listen({ kind: "hung", queue, task });
        if (this.#care.ownsProcess) this.#leave();
      },
      ...(this.#care.ownsProcess && { mayBlock }),
    });
  }

  async #workOn(parts: Tallied): Promise<QueueReport> {
    const startedAtMs = performance.now();
    const { queue, tally, onHost, clock } = parts;
    onHost?.runs.start(clock.now());
    const end = await this.#serve(parts);
    const ms = Math.round(performance.now() - startedAtMs);
    onHost?.runs.worked(ms);
    return afterwards(parts, { queue, ...tally.counts(), left: undefined, ms, ...end });
  }

  /** Serves a queue to the end; what keeps it from that is told once, and tried again. */
  async #serve(parts: Tallied): Promise<End> {
    const backoff = new Backoff();
    for (;;) {
      try {
        const ended = await this.#drain(parts, backoff);
        this.#ended ??= ended;
        this.#leave(); // the limits are the process's: the other queues end too, and for the same reason
        return { ended: this.#ended };
      } catch (error) {
        const failure = { code: codeOf(error), message: describeError(error) };
        const isHopeless = this.#isHopeless(parts.queue, failure.code);
        this.#tried(parts.queue);
        if (isHopeless) return { ended: "failed", failure };
        const again = backoff.failed(performance.now());
        if (again.isFirst) parts.tally.listen({ kind: "unserved", queue: parts.queue, error });
        await parts.clock.until(parts.clock.now() + again.waitMs, this.#leaving.signal);
        if (this.#leaving.signal.aborted) return { ended: "failed", failure };
      }
    }
  }

  async #drain(parts: Tallied, backoff: Backoff): Promise<BatchEnd> {
    const broker = await parts.open();
    const look = (): void => void tellLosses(broker, parts).catch(toldElsewhere);
    const looking = setInterval(look, LOSSES_MS);
    const stays: Staying = {
      leave: this.#leaving.signal,
      watch: this.#vigil?.of(parts.queue),
      atRisk: this.#care.atRisk?.bind(undefined, parts.queue),
      onReady: () => {
        backoff.began(performance.now());
        this.#ready(parts);
        look(); // the server may have been away, and come back empty
      },
    };
    try {
      return await drain({ ...parts, broker, tell: parts.tally.listen, stays });
    } finally {
      clearInterval(looking);
    }
  }

  #ready({ queue, onHost, clock }: Tallied): void {
    onHost?.runs.begin(clock.now());
    this.#hopeless.delete(queue);
    if (!this.#isReady) {
      this.#isReady = true;
      this.#care.onReady?.();
    }
    this.#tried(queue);
  }

  #tried(queue: string): void {
    if (this.#untried.delete(queue) && this.#untried.size === 0) this.#care.onBegun?.([...this.#hopeless]);
  }

  #isHopeless(queue: string, code: MemqError["code"]): boolean {
    if (new MemqError(code, "").exit !== EXIT.config) return false;
    this.#hopeless.add(queue);
    if (this.#isReady || this.#hopeless.size < this.#queues.length) return false;
    this.#leave();
    return true;
  }

  readonly #leave = (): void => {
    if (this.#leaving.signal.aborted) return;
    for (const { budget } of this.#queues) budget.stop();
    this.#leaving.abort();
    if (this.#isReady) this.#care.onLeaving?.();
  };
}

const codeOf = (error: unknown): MemqError["code"] => (error instanceof MemqError ? error.code : "BUG");

/** Dead letters are no failure of whoever works for weeks. */
const exitsOf = (report: QueueReport): readonly number[] => [
  report.failure === undefined ? EXIT.ok : new MemqError(report.failure.code, "").exit,
  lossExit(report),
];

/** A broker that does not answer is told by what needs it to work. */
const toldElsewhere = (): void => undefined;
