import type { QueueConfig } from "../config/config.ts";
import { describeError, EXIT, worstExit } from "../errors.ts";
import { QueueRuns } from "../host/queue-runs.ts";
import { nameOf, thisProcess } from "../host/process-identity.ts";
import type { StuckRun } from "../host/stuck-run.ts";
import type { Clock } from "../ports/clock.ts";
import type { Listener } from "../telemetry/events.ts";
import { LogFile } from "../telemetry/log-file.ts";
import { logLine, logText } from "../telemetry/log-line.ts";
import { pingOf, type Ping } from "../telemetry/ping.ts";
import { Foresight, type NextTick } from "./foresight.ts";
import { LifeSign } from "./life-sign.ts";
import type { QueueReport, RunReport } from "./report.ts";
import { exitOf, type QueueRun } from "./run.ts";
import { summaryLine, worthSaying } from "./summary.ts";
import type { WhenFull } from "./visit.ts";

/** How a run gets on with other runs and with those who watch; what is absent is as the queue's settings say. */
export interface CareOptions {
  /** Runs of one queue that may overlap on this host. */
  readonly maxRuns?: number;
  /** What a surplus run does. Default "skip". */
  readonly whenFull?: WhenFull;
  /** Whether it waits for what falls due before cron's next tick. */
  readonly cover?: boolean;
  /**
   * Cron's cadence, in ms or as a cron expression, for queues whose settings do not say it. A function is asked
   * only when a run could wait; it answers one cadence for each line of a crontab, and none when it does not know.
   */
  readonly every?: Every | ((queue: string) => Promise<readonly Every[]>);
  /** Monitor that is told of the run. */
  readonly ping?: string;
  /** File that gets a line per task. */
  readonly log?: string;
  /** The process does nothing but this run: handlers can neither exit nor crash it. Default false. */
  readonly ownsProcess?: boolean;
  /** How the process exits because of what goes on beside the queues; the monitor is told of that too. Default 0. */
  readonly besides?: Promise<number>;
}

/** A cadence: in ms, or as a cron expression. */
export type Every = number | string;

/** What a chronicle works with. */
export interface ChronicleParts {
  readonly clock: Clock;
  readonly care: CareOptions;
  /** The ticks of a cadence: asked only when a run covers. */
  readonly ticksOf: (every: readonly Every[]) => Promise<NextTick>;
  /** It is of a worker: monitors are told of runs only. Default false. */
  readonly worker?: boolean;
}

/** The part of a queue's run that others see: its place among the runs of this host, its log and its pings. */
export type Seen = Required<Pick<QueueRun, "onHost" | "warn" | "onBegin" | "tell" | "say" | "faults">> &
  Pick<QueueRun, "nextTick">;

/** One run, told to everybody who shall know of it: host, log, monitor. Nothing of that can fail or delay it. */
export class Chronicle {
  readonly #parts: ChronicleParts;
  readonly #run: string;
  readonly #pings = new Map<string, Ping>();
  readonly #logs = new Map<string, LogFile>();
  readonly #queues: QueueConfig[] = [];
  readonly #lifeSign = new LifeSign();

  constructor(parts: ChronicleParts) {
    this.#parts = parts;
    this.#run = `${nameOf(thisProcess())}:${parts.clock.now().toString(36)}:${String(runs++)}`;
  }

  /** `tell` and `say`: who is told besides. */
  of(queue: QueueConfig, { tell, say }: { tell: Listener; say: (line: string) => void }): Seen {
    this.#queues.push(queue);
    const { care } = this.#parts;
    const { name, storePath, warn } = queue;
    const runsOfQueue = new QueueRuns({ storePath, queue: name }, this.#run, this.#parts);
    const { maxRuns = queue.maxRuns, whenFull = "skip" } = care;
    const log = this.#logOf(queue);
    const foresight = (care.cover ?? queue.cover) ? this.#foresight(queue) : undefined;
    return {
      onHost: {
        runs: runsOfQueue,
        maxRuns,
        whenFull,
        ...(care.ownsProcess === true && { lifeSign: this.#lifeSign }),
      },
      warn,
      onBegin: () => {
        this.#pingOf(queue)?.start();
      },
      tell: log === undefined ? tell : this.#logged(log, tell),
      say: log === undefined ? say : this.#writer(log),
      faults: () => [...faultsOf(runsOfQueue, log), ...(foresight?.faults() ?? [])],
      ...(foresight !== undefined && { nextTick: foresight.nextTick }),
    };
  }

  /** The run is over: its end goes to the logs and the monitors. Takes at most the few seconds a monitor gets. */
  async end(ofQueues: RunReport): Promise<RunReport> {
    const besides = (await this.#parts.care.besides) ?? EXIT.ok;
    const report = { ...ofQueues, exit: worstExit([ofQueues.exit, besides]) };
    for (const queue of this.#queues) this.#logEnd(queue, report);
    for (const log of this.#logs.values()) log.close();
    await Promise.all(this.#urls().map((url) => this.#endPing(url, report, besides)));
    const faults = this.#pingFaults();
    return faults.length === 0 ? report : { ...report, faults };
  }

  #pingFaults(): readonly string[] {
    return [...this.#pings].flatMap(([url, { fault }]) =>
      fault === undefined ? [] : [`ping ${new URL(url).host}: ${fault}`],
    );
  }

  #foresight(queue: QueueConfig): Foresight {
    const every = queue.every ?? this.#parts.care.every ?? [];
    return new Foresight(async () => {
      const cadences = typeof every === "function" ? await every(queue.name) : [every].flat();
      return cadences.length === 0 ? undefined : this.#parts.ticksOf(cadences);
    });
  }

  #logOf(queue: QueueConfig): LogFile | undefined {
    const path = this.#parts.care.log ?? queue.log;
    if (path === undefined) return undefined;
    const log = this.#logs.get(path) ?? new LogFile(path);
    this.#logs.set(path, log);
    return log;
  }

  #logged(log: LogFile, tell: Listener): Listener {
    const write = this.#writer(log);
    return (event) => {
      write(logText(event));
      tell(event);
    };
  }

  readonly #writer =
    (log: LogFile) =>
    (text: string): void => {
      log.write(logLine(text, this.#parts.clock.now()));
    };

  #logEnd(queue: QueueConfig, { queues }: RunReport): void {
    const report = queues.find((one) => one.queue === queue.name);
    const log = this.#logOf(queue);
    if (report === undefined || log === undefined || !isEventful(report)) return;
    this.#writer(log)(summaryLine(report));
  }

  #urls(): readonly string[] {
    return [...new Set(this.#queues.flatMap((queue) => this.#urlOf(queue) ?? []))];
  }

  #urlOf(queue: QueueConfig): string | undefined {
    return this.#parts.worker === true ? undefined : (this.#parts.care.ping ?? queue.ping);
  }

  #pingOf(queue: QueueConfig): Ping | undefined {
    const url = this.#urlOf(queue);
    if (url === undefined) return undefined;
    const ping = this.#pings.get(url) ?? pingOf(url);
    this.#pings.set(url, ping);
    return ping;
  }

  async #endPing(url: string, { queues }: RunReport, besides: number): Promise<void> {
    const own = this.#queues.filter((queue) => this.#urlOf(queue) === url);
    const reports = queues.filter(({ queue }) => own.some(({ name }) => name === queue));
    // A surplus run says nothing about the queue: if those who are at work hang, the monitor shall notice.
    if (reports.every(({ ended, failure }) => ended === "full" && failure === undefined)) return;
    const [first] = own;
    const ping = first === undefined ? undefined : this.#pingOf(first);
    const beside =
      besides === EXIT.ok ? [] : [`the run exits with ${String(besides)}, by what it said besides`];
    const summary = [...reports.map(summaryLine), ...beside].join("\n");
    await ping?.end({ isFine: worstExit([besides, ...reports.map(exitOf)]) === EXIT.ok, summary });
  }
}

let runs = 0; // of this process

function faultsOf(onHost: QueueRuns, log: LogFile | undefined): readonly string[] {
  return [
    ...onHost.stuck.map(stuckText),
    ...(onHost.fault === undefined
      ? []
      : [
          `what runs do is not remembered on this host: ${describeError(onHost.fault)}; memq doctor says what to do about its folder`,
        ]),
    ...(log?.fault === undefined ? [] : [`the log cannot be written: ${describeError(log.fault)}`]),
  ];
}

function stuckText({ name, sinceMs, worker, fault }: StuckRun): string {
  const since = sinceMs === undefined ? "" : ` that began ${new Date(sinceMs).toISOString()}`;
  const end = fault === undefined ? "was ended with SIGKILL" : `cannot be ended: ${fault}`;
  return `the ${worker === true ? "worker" : "run"} ${name}${since} did not come back from a handler that blocks, and ${end}`;
}

const isEventful = (report: QueueReport): boolean =>
  report.done > 0 || worthSaying(report) || report.ended === "full" || report.ended === "failed";
