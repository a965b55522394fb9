import type { WorkDone } from "../host/queue-runs.ts";
import type { Clock } from "../ports/clock.ts";
import type { Thresholds } from "../telemetry/warnings.ts";
import type { QueueReport } from "./report.ts";
import type { OnHost } from "./visit.ts";

/** What is done with a queue's report when the work is over. */
export interface Afterwards {
  readonly onHost?: OnHost;
  readonly clock: Clock;
  /** From when on the queue is worth a warning. Default: never. */
  readonly warn?: Thresholds;
  /** What went wrong around the run, for people: it harmed no task. */
  readonly faults?: () => readonly string[];
}

/** Leaves the run's record on this host, and adds to its report what the host knows. */
export function afterwards({ onHost, clock, faults }: Afterwards, report: QueueReport): QueueReport {
  const { warnings = [], ...bare } = report;
  const shared = onHost?.runs.sharedBy() ?? 1;
  onHost?.runs.end(workOf(report), clock.now());
  const all = [...warnings, ...(faults?.() ?? [])];
  return { ...withWarnings(bare, all), ...(shared > 1 && { shared }) };
}

const withWarnings = (report: QueueReport, warnings: readonly string[]): QueueReport =>
  warnings.length === 0 ? report : { ...report, warnings };

function workOf({ done, retried, dead, left, ended, failure }: QueueReport): WorkDone {
  return {
    done,
    retried,
    dead,
    ended,
    ...(left !== undefined && { left }),
    ...(failure !== undefined && { failure: `${failure.message} [${failure.code}]` }),
  };
}
