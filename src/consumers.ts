import type { QueueConfig } from "./config/config.ts";
import type { Broker } from "./ports/broker.ts";
import type { Clock } from "./ports/clock.ts";
import { Budget, cgroupMemoryLimit, type Limits } from "./run/budget.ts";
import { Chronicle } from "./run/chronicle.ts";
import type { OnResult } from "./run/on-result.ts";
import type { Registry } from "./run/registry.ts";
import type { RunReport } from "./run/report.ts";
import type { RunOptions } from "./run/run-options.ts";
import { runQueues, runQueuesGuarded, type QueueRun } from "./run/run.ts";
import type { WorkerCare } from "./run/worker.ts";
import { durationMs } from "./task/duration.ts";

/** What a configuration gives its runs and workers. */
export interface ConsumersParts {
  readonly clock: Clock;
  /** Instead of the modules that queues name. */
  readonly onResult: OnResult | undefined;
  readonly broker: (queue: QueueConfig) => Promise<Broker>;
  readonly registry: (queue: QueueConfig) => Promise<Registry>;
}

/** How tasks get out of a configuration: puts together what its runs and workers work with. */
export class Consumers {
  readonly #parts: ConsumersParts;

  constructor(parts: ConsumersParts) {
    this.#parts = parts;
  }

  /** One run over the queues. */
  async run(queues: readonly QueueConfig[], options: RunOptions): Promise<RunReport> {
    const chronicle = this.#chronicle(options);
    const runs = await this.#runsOf(queues, { chronicle, options });
    return chronicle.end(await (options.ownsProcess === true ? runQueuesGuarded(runs) : runQueues(runs)));
  }

  /** A worker of the queues, until it is told to leave. `options`: of the drains that it is made of. */
  async work(
    queues: readonly QueueConfig[],
    options: RunOptions,
    own: Omit<WorkerCare, "ownsProcess">,
  ): Promise<RunReport> {
    const [{ workOn }, { QueueWorkers }] = await Promise.all([
      import("./run/worker.ts"),
      import("./host/queue-workers.ts"),
    ]);
    const chronicle = this.#chronicle(options, { worker: true });
    const runs = await this.#runsOf(queues, { chronicle, options });
    const working = runs.map((run) => ({ ...run, workers: new QueueWorkers(run) }));
    return chronicle.end(await workOn(working, { ...own, ownsProcess: options.ownsProcess === true }));
  }

  #chronicle(care: RunOptions, { worker = false } = {}): Chronicle {
    return new Chronicle({ clock: this.#parts.clock, care, ticksOf, worker });
  }

  #runsOf(queues: readonly QueueConfig[], one: Omit<OneRun, "budget">): Promise<(QueueRun & OnHost)[]> {
    const budget = new Budget(limitsOf(one.options, cgroupMemoryLimit()), this.#parts.clock);
    return Promise.all(
      queues.map(async (queue) => ({
        ...(await this.#told(queue, this.#queueRun(queue, { ...one, budget }))),
        storePath: queue.storePath,
      })),
    );
  }

  /** The same run, its attempts told to `onResult` where there is one. */
  async #told(queue: QueueConfig, run: QueueRun): Promise<QueueRun> {
    const onResult = this.#parts.onResult ?? queue.onResult;
    if (onResult === undefined) return run;
    return (await import("./run/on-result.ts")).tellingResults(run, onResult);
  }

  #queueRun(config: QueueConfig, { budget, chronicle, options }: OneRun): QueueRun {
    return {
      queue: config.name,
      open: () => this.#parts.broker(config),
      registry: () => this.#parts.registry(config),
      className: config.className,
      policy: { waitsMs: config.retryMs },
      timeoutMs: options.timeout === undefined ? config.timeoutMs : durationMs(options.timeout),
      concurrency: options.concurrency ?? config.concurrency,
      resultsMs: config.resultsMs,
      maxResultBytes: config.maxTaskBytes,
      budget,
      clock: this.#parts.clock,
      stop: options.stop ?? new AbortController().signal,
      graceMs: durationMs(options.grace ?? DEFAULT_GRACE_MS),
      lastWords: (id) => lastWordsOf(config, id, this.#parts.clock),
      ...chronicle.of(config, { tell: options.listener ?? ignore, say: options.say ?? toStderr }),
    };
  }
}

/** Where this host remembers a queue. */
interface OnHost {
  readonly storePath: string;
}

/** What the queues of one run share. */
interface OneRun {
  readonly budget: Budget;
  readonly chronicle: Chronicle;
  readonly options: RunOptions;
}

const lastWordsOf = async ({ name, storePath }: QueueConfig, id: string, clock: Clock): Promise<string> =>
  (await import("./run/last-words.ts")).lastWords(storePath, { queue: name, id }, clock);

const ticksOf = async (every: readonly (number | string)[]): Promise<(afterMs: number) => number> =>
  (await import("./cron/ticks.ts")).ticksOf(every);

// Shorter than what init systems wait before they kill.
const DEFAULT_GRACE_MS = 10_000;

const ignore = (): void => undefined;
const toStderr = (line: string): void => {
  process.stderr.write(`${line}\n`);
};

function limitsOf(options: RunOptions, cgroupBytes: number | undefined): Limits {
  const maxMemoryBytes = options.maxMemoryBytes ?? cgroupBytes;
  return {
    ...(options.maxTime !== undefined && { maxTimeMs: durationMs(options.maxTime) }),
    ...(options.maxTasks !== undefined && { maxTasks: options.maxTasks }),
    ...(maxMemoryBytes !== undefined && { maxMemoryBytes }),
  };
}
