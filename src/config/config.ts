import type { EventTask } from "../task/event-task.ts";

/** One queue, every setting resolved: paths absolute, times in ms, sizes in bytes, secrets read. */
export interface QueueConfig {
  readonly name: string;
  /** Undefined: the embedded store. */
  readonly server?: ServerConfig;
  readonly className: string;
  /** A file or folder; undefined: look beside config.ini. */
  readonly handlers?: string;
  /** Folder of the embedded store and of what this host remembers. */
  readonly storePath: string;
  /** Waits between attempts; empty = one attempt. */
  readonly retryMs: readonly number[];
  readonly timeoutMs: number;
  readonly concurrency: number;
  readonly maxTaskBytes: number;
  /** Tasks per memcached item in bulk publishing. */
  readonly bundle: "auto" | number;
  readonly secret?: string;
  readonly maxRuns: number;
  /** Cron's cadence: ms, or a cron expression. */
  readonly every?: number | string;
  readonly cover: boolean;
  readonly warn: { readonly waiting?: number; readonly oldestMs?: number };
  readonly log?: string;
  readonly ping?: string;
  /** How long results are kept; undefined = not at all. */
  readonly resultsMs?: number;
  /** Module that is called after each attempt. */
  readonly onResult?: string;
}

export interface ServerConfig {
  readonly host: string;
  readonly port: number;
  readonly username?: string;
  readonly password?: string;
}

export interface ScheduleConfig {
  readonly name: string;
  readonly cron: string;
  readonly timezone?: string;
  readonly call: string;
  readonly queue: string;
  readonly catchUp: "none" | "one" | "all";
}

export interface EventConfig {
  readonly name: string;
  /** Topic pattern or plain name. */
  readonly on: string;
  /** In the order written. */
  readonly tasks: readonly EventTask[];
}

/** The whole configuration. `queues[0]` is the queue that the top-level keys describe. */
export interface Config {
  /** Undefined when it was given as an object. */
  readonly file?: string;
  /** Relative paths start here, and runs work here. */
  readonly folder: string;
  readonly queues: readonly [QueueConfig, ...QueueConfig[]];
  readonly schedules: readonly ScheduleConfig[];
  readonly events: readonly EventConfig[];
}
