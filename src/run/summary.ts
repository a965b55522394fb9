import { formatDuration } from "../task/duration.ts";
import { localTime } from "../telemetry/local-time.ts";
import type { QueueReport } from "./report.ts";

/** The one line about a run: `memq push: 1000 done, 0 retried, 0 dead, 0 left in 2.1s (drained; 2 runs shared)`. */
export function summaryLine(report: QueueReport): string {
  const { queue, done, retried, dead, left, ms } = report;
  const counts = `${String(done)} done, ${String(retried)} retried, ${String(dead)} dead, ${left === undefined ? "?" : String(left)} left`;
  return `memq ${queue}: ${counts} in ${formatDuration(ms)} (${endText(report)})`;
}

/** Whether it is worth a line where nobody watches. */
export const worthSaying = (report: QueueReport): boolean =>
  report.retried + report.dead + report.leasesLost + report.losses.length + (report.unrecorded ?? 0) > 0 ||
  (report.ended === "failed" && report.done > 0) ||
  isCramped(report);

/** Its memory was full with the first task: run after run, the queue would hardly get shorter, and silently. */
const isCramped = ({ ended, done, retried, dead }: QueueReport): boolean =>
  ended === "max-memory" && done + retried + dead <= 1;

function endText(report: QueueReport): string {
  const { failure, leasesLost, unrecorded = 0, losses, shared } = report;
  const parts = [failure === undefined ? whyText(report) : `${failure.message} [${failure.code}]`];
  if (shared !== undefined) parts.push(`${String(shared)} runs shared`);
  if (leasesLost > 0) parts.push(repeatText(leasesLost, ["lost its lease", "lost their leases"]));
  if (unrecorded > 0)
    parts.push(repeatText(unrecorded, ["is not on record as run", "are not on record as run"]));
  if (losses.length > 0) parts.push("tasks were lost");
  return parts.join("; ");
}

/** Tasks whose outcome this run could not put on record. */
const repeatText = (count: number, [one, more]: readonly [one: string, more: string]): string =>
  `${count === 1 ? `1 task ${one}` : `${String(count)} tasks ${more}`} and may run again`;

function whyText({ ended, until }: QueueReport): string {
  if (until === undefined) return END_TEXT[ended];
  return `${END_TEXT[ended]}${ended === "due" ? ": the next is at" : " until"} ${localTime(until)}`;
}

/** Why a run ended, for people. */
export const END_TEXT: Readonly<Record<QueueReport["ended"], string>> = {
  empty: "drained",
  paused: "the queue is paused",
  held: "other runs hold the rest",
  due: "the rest is not due yet",
  "max-time": "max-time reached",
  "max-tasks": "max-tasks reached",
  "max-memory": "max-memory reached",
  stopped: "stopped",
  full: "as many runs as may overlap are at work",
  failed: "failed",
};
