import type { Depth } from "../ports/broker.ts";
import { formatDuration } from "../task/duration.ts";
import { ok, warn, type Verdict } from "./verdict.ts";

/** Who takes a queue's tasks, as far as this host knows. */
export interface Consumers {
  /** Workers that live, `host:pid` each. */
  readonly workers: readonly string[];
  /** Those of them that a handler blocks for longer than it may. */
  readonly stuck: readonly string[];
  /** Runs at work now. */
  readonly working: number;
  /** When runs start, as far as `every` or a crontab tells; none: nobody said. */
  readonly every: readonly (number | string)[];
  /** When a run last gave a sign of life, in ms since 1970; undefined: never here. */
  readonly lastRunAt: number | undefined;
}

// Cron starts within the minute; what waits for less is no backlog.
const BACKLOG_MS = 60_000;
const MOST_NAMED = 5;

/** Judges whether somebody takes the tasks. `depth` undefined: it cannot be asked, and another check says why. */
export function judgeConsumers(
  consumers: Consumers,
  depth: Depth | undefined,
  nowMs: number,
): readonly Verdict[] {
  const { stuck } = consumers;
  const verdict = backlogOf(consumers, depth, nowMs) ?? ok("consumers", whoText(consumers, nowMs));
  if (stuck.length === 0) return [verdict];
  const blocked = warn("stuck", {
    says: `${named("worker", stuck)} ${stuck.length === 1 ? "is" : "are"} blocked by a handler that does not come back`,
    fix: "memq work, or the next run of the queue, ends it: start one, or kill -9 the process; then look at the handler",
  });
  return [verdict, blocked];
}

/** Something waits, and nobody is there or has come by since. */
function backlogOf(consumers: Consumers, depth: Depth | undefined, nowMs: number): Verdict | undefined {
  const { workers, stuck, working, every, lastRunAt = -Infinity } = consumers;
  const since = depth?.oldestWaitingAt;
  if (depth === undefined || since === undefined || nowMs - since < BACKLOG_MS) return undefined;
  if (workers.length > stuck.length || working > 0 || every.length > 0 || lastRunAt > since) return undefined;
  const waits = `${String(depth.waiting)} waiting, the oldest for ${formatDuration(nowMs - since)}`;
  return warn("consumers", {
    says: `${waits}, and nobody here takes them: no worker, no run since, no line of memq crontab install`,
    fix: "memq crontab install, or memq work; where others consume the queue, look there",
  });
}

function whoText({ workers, working, every, lastRunAt }: Consumers, nowMs: number): string {
  if (workers.length > 0) return `${named("worker", workers)} ${workers.length === 1 ? "lives" : "live"}`;
  if (working > 0) return `${String(working)} ${working === 1 ? "run is" : "runs are"} at work`;
  if (every.length > 0) return `runs start as planned: ${every.map(everyText).join(", ")}`;
  const last =
    lastRunAt === undefined ? "none yet" : `the last ${formatDuration(Math.max(0, nowMs - lastRunAt))} ago`;
  return `no worker lives here, and no crontab line of memq is known (runs: ${last})`;
}

const everyText = (every: number | string): string =>
  typeof every === "number" ? `every ${formatDuration(every)}` : every;

function named(noun: string, names: readonly string[]): string {
  const more = names.length > MOST_NAMED ? ` and ${String(names.length - MOST_NAMED)} more` : "";
  const count = names.length === 1 ? noun : `${String(names.length)} ${noun}s`;
  return `${count} (${names.slice(0, MOST_NAMED).join(", ")}${more})`;
}
