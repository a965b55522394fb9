import { MemqError } from "../errors.ts";
import { durationMs } from "../task/duration.ts";
import { assertKnownNames } from "../task/known-names.ts";
import type { Listener } from "../telemetry/events.ts";
import type { CareOptions } from "./chronicle.ts";
import { assertConcurrency } from "./concurrency.ts";

/** What a run takes. */
export interface RunOptions extends CareOptions {
  /** Names of the queues to drain. Default: all of the configuration. */
  readonly queues?: readonly string[];
  /** ms or a duration; longer than 0: no task is started that would not fit; one that runs ends by its own timeout. Default none. */
  readonly maxTime?: number | string;
  readonly maxTasks?: number;
  readonly maxMemoryBytes?: number;
  /** Tasks at a time, per queue. Default: the queue's `concurrency`. */
  readonly concurrency?: number;
  /** Per attempt, ms or a duration. Default: the queue's `timeout`. */
  readonly timeout?: number | string;
  /** Aborted: claim no more, finish what runs within `grace`, hand back the rest. */
  readonly stop?: AbortSignal;
  /** Default 10 s. */
  readonly grace?: number | string;
  /** Told everything that happens. */
  readonly listener?: Listener;
  /** Lines that handlers log with `task().log`. Default: stderr. */
  readonly say?: (line: string) => void;
}

const OPTION_NAMES: Readonly<Record<keyof RunOptions, true>> = {
  queues: true,
  maxTime: true,
  maxTasks: true,
  maxMemoryBytes: true,
  concurrency: true,
  timeout: true,
  stop: true,
  grace: true,
  listener: true,
  say: true,
  ownsProcess: true,
  maxRuns: true,
  whenFull: true,
  cover: true,
  every: true,
  ping: true,
  log: true,
  besides: true,
};
const RUN_OPTIONS: ReadonlySet<string> = new Set(Object.keys(OPTION_NAMES));

/** @throws MemqError USAGE for an option that is unknown, queues that are no list, no time at all, and a number of tasks at a time that is none; ARGS_INVALID for a time that is no duration. */
export function assertRunOptions(options: RunOptions): void {
  assertKnownNames(options, RUN_OPTIONS, "option");
  const { queues, maxTime, concurrency = 1 } = options;
  if (queues !== undefined && !Array.isArray(queues))
    throw new MemqError("USAGE", `queues is a list of names, such as ["push"]`);
  if (maxTime !== undefined && durationMs(maxTime) === 0)
    throw new MemqError("USAGE", "maxTime is longer than 0: a run without time would start no task");
  assertConcurrency(concurrency);
}
