import type { QueueConfig } from "../config/config.ts";
import { ticksOf } from "../cron/ticks.ts";
import type { Consumers } from "../doctor/consumers.ts";
import { QueueRuns } from "../host/queue-runs.ts";
import { QueueWorkers } from "../host/queue-workers.ts";
import { recordsOf, type RunRecord } from "../host/run-record.ts";
import { toldLossesIn } from "../host/told-losses.ts";
import type { Depth, Loss } from "../ports/broker.ts";
import { installedEvery, type InstalledEvery } from "./installed-every.ts";
import { toldTexts, type QueueView } from "./queue-outlook.ts";

/** What was found out about a queue. */
export interface Seen {
  readonly depth: Depth;
  /** Ms since 1970. */
  readonly nowMs: number;
  /** When runs start: of each line of a crontab; none: it is not known. */
  readonly every: readonly (number | string)[];
  /** What was lost, and no run has told yet. */
  readonly losses?: readonly Loss[];
  readonly underWay?: QueueView["underWay"];
}

/** When runs start: by `every`, else by the lines that `memq crontab install` wrote, which are read once. */
export function cadenceReader(
  env: NodeJS.ProcessEnv,
  configFile: string | undefined,
): (queue: QueueConfig) => Promise<readonly (number | string)[]> {
  let table: Promise<InstalledEvery> | undefined;
  return async ({ name, every }) =>
    every === undefined ? (await (table ??= installedEvery(env, configFile)))(name) : [every];
}

/** A queue as this host sees it. What the host may not read is as if it knew nothing: nor that runs are late. */
export function viewOf(
  queue: QueueConfig,
  { depth, nowMs, every, losses = [], underWay = [] }: Seen,
): QueueView {
  const { maxRuns, concurrency } = queue;
  const about = { depth, nowMs, maxRuns, concurrency, losses, underWay };
  const memory = memoryOf(queue, nowMs);
  if (memory === undefined) {
    return { ...about, records: [], working: 0, lastRunAt: undefined, nextTick: undefined };
  }
  return { ...about, ...memory, nextTick: every.length === 0 ? undefined : ticksOf(every) };
}

type Memory = Pick<QueueView, "records" | "working" | "workers" | "lastRunAt" | "toldLosses">;

/** The losses that runs and workers of this host have told of within a week, for people; what it may not read is none. */
export function toldLosses(queue: QueueConfig): readonly string[] {
  const nowMs = Date.now();
  return toldTexts(memoryOf(queue, nowMs)?.toldLosses ?? [], nowMs);
}

/** Who takes its tasks here; undefined: this host's memory may not be read. */
export function consumersOf(
  queue: QueueConfig,
  every: readonly (number | string)[],
  nowMs: number,
): Consumers | undefined {
  const memory = memoryOf(queue, nowMs);
  if (memory === undefined) return undefined;
  const { working, lastRunAt } = memory;
  const workers = new QueueWorkers({ storePath: queue.storePath, queue: queue.name });
  const names = (holders: readonly { readonly name: string }[]): readonly string[] =>
    holders.map(({ name }) => name);
  return { workers: names(workers.living()), stuck: names(workers.stuck()), working, every, lastRunAt };
}

function memoryOf({ name, storePath }: QueueConfig, nowMs: number): Memory | undefined {
  try {
    const runs = new QueueRuns({ storePath, queue: name });
    const history = runs.history(nowMs);
    const records = recordsOf(history);
    const toldLosses = toldLossesIn(history);
    const workers = new QueueWorkers({ storePath, queue: name }).living().length;
    const working = runs.working().length;
    return { records, toldLosses, working, workers, lastRunAt: lastRunAt(runs, records, nowMs) };
  } catch {
    return undefined; // another user's folder: the status of the queue does not depend on it
  }
}

function lastRunAt(runs: QueueRuns, records: readonly RunRecord[], nowMs: number): number | undefined {
  const emptyAt = runs.emptyRuns()?.lastAt;
  const times = [
    ...records.map(({ startedAt, end }) => end?.at ?? startedAt),
    ...(emptyAt === undefined ? [] : [emptyAt]),
    ...(runs.waiting() === undefined ? [] : [nowMs]),
  ];
  return times.length === 0 ? undefined : Math.max(...times);
}
