import { describeError } from "../errors.ts";
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
}

/** Leaves the run's record on this host, and adds to its report what the host knows. */
export function afterwards({ onHost, clock }: Afterwards, report: QueueReport): QueueReport {
  const { warnings = [], ...bare } = report;
  if (onHost === undefined) return withWarnings(bare, warnings);
  const { runs } = onHost;
  const shared = runs.sharedBy();
  runs.end(workOf(report), clock.now());
  const fault =
    runs.fault === undefined ? [] : [`what runs do is not remembered: ${describeError(runs.fault)}`];
  return { ...withWarnings(bare, [...warnings, ...fault]), ...(shared > 1 && { shared }) };
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
