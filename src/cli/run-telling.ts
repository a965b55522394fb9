import { isWatched } from "./io.ts";
import { MemqError } from "../errors.ts";
import type { SlotHolder } from "../host/run-slots.ts";
import type { QueueReport, RunReport } from "../run/report.ts";
import { summaryLine, worthSaying } from "../run/summary.ts";
import { tellFailures, type NamedFailure } from "./failures.ts";
import { choice } from "./option-values.ts";
import type { Parsed } from "./options.ts";
import { counted } from "./printable.ts";
import { localTime } from "../telemetry/local-time.ts";
import type { Session } from "./shell.ts";

/** When the run says what it did; undefined: only when there is something to tell. */
export type Summary = "text" | "json" | "never" | undefined;

/** @throws MemqError USAGE */
export const readSummary = (parsed: Parsed): Summary =>
  choice(parsed, "summary", ["text", "json", "never"] as const);

/** Tells what a run did: failures and warnings always, the rest as the summary was asked for. */
export function tellReport(session: Session, report: RunReport, summary: Summary): void {
  tellFailures(session, "queue", report.queues.flatMap(failureOf));
  for (const { queue, warnings = [] } of report.queues)
    for (const warning of warnings) session.complain(`memq ${queue}: ${warning}`);
  if (session.parsed.flag("verbose")) for (const fault of report.faults ?? []) session.complain(fault);
  if (summary === "json" || session.parsed.flag("json")) session.print(JSON.stringify(report));
  else if (summary !== "never") tellQueues(session, report, summary);
}

const failureOf = ({ queue, failure }: QueueReport): readonly NamedFailure[] =>
  failure === undefined ? [] : [{ name: queue, error: new MemqError(failure.code, failure.message) }];

function tellQueues(session: Session, report: RunReport, summary: Summary): void {
  const tellsAll = isWatched(session.io) || session.parsed.flag("verbose");
  for (const queue of report.queues) {
    const lines = [summaryLine(queue), ...hintLines(queue)];
    if (summary === "text") for (const line of lines) session.complain(line);
    else if (worthSaying(queue) || tellsAll) for (const line of lines) session.say(line);
    if (tellsAll) for (const line of holderLines(queue)) session.say(line);
  }
  tellDeadNext(session, report, summary);
}

// Once for all that died: a cron mail is short.
const DEAD_NEXT =
  "  memq show ID tells all about a dead letter; memq retry ID puts it back once its cause is mended.";

function tellDeadNext(session: Session, { queues }: RunReport, summary: Summary): void {
  if (queues.every(({ dead }) => dead === 0)) return;
  if (summary === "text") session.complain(DEAD_NEXT);
  else session.say(DEAD_NEXT);
}

const hintLines = ({ queue, hint }: QueueReport): readonly string[] =>
  hint === undefined ? [] : [`memq ${queue}: ${hint}`];

/** Who has the slots that this run did not get. */
function holderLines({ queue, holders = [] }: QueueReport): readonly string[] {
  if (holders.length === 0) return [];
  const who = holders.map(holderText).join(", ");
  return [`memq ${queue}: ${counted(holders.length, "run")} at work already: ${who}`];
}

const holderText = ({ name, sinceMs }: SlotHolder): string => `${name} since ${localTime(sinceMs)}`;
