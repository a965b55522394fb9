import { inspect } from "node:util";
import { describeError, ERRORS } from "../errors.ts";
import type { Finding, Loss } from "../ports/broker.ts";
import type { RunEvent } from "../telemetry/events.ts";
import { localTime } from "../telemetry/local-time.ts";
import { lossText } from "../telemetry/loss-text.ts";
import { cut, printable, printableLines } from "./printable.ts";
import { formatDuration } from "../task/duration.ts";

// A mail's line; the whole text is kept with the task.
const MAX_LINE = 300;
// Whoever can write into a store or a server can name a method as they like.
const MAX_METHOD = 100;

/** A thrown value as one short line, or with its stack. */
export function describeThrown(thrown: unknown, verbose: boolean): string {
  if (verbose && thrown instanceof Error) return printableLines(thrown.stack ?? thrown.message);
  const name =
    thrown instanceof Error && !/^(?:Error|HandlerVerb|MemqError)$/.test(thrown.name)
      ? `${thrown.name}: `
      : "";
  const line = (name + describeError(thrown)).replace(/\s*\n\s*/g, " ");
  return cut(printable(line), MAX_LINE);
}

/** What a run says of an event on stderr; undefined = nothing. */
export function eventLine(event: RunEvent, verbose: boolean, nowMs: number): string | undefined {
  const at = `memq ${event.queue}`;
  if (isAside(event)) return asideLine(at, event, verbose);
  switch (event.kind) {
    case "retry":
    case "dead":
      return failureLine(at, event, { verbose, nowMs });
    case "done":
    case "handedBack":
    case "cancelled":
      return quietLine(at, event, verbose);
    case "leaseLost":
      return `${at}: ${taskName(event)} lost its lease; what this run did with it was not recorded, another run may repeat it`;
    case "finding":
      return findingLine(at, event.finding, verbose);
    case "loss":
      return lossLine(at, event.loss);
  }
}

/** What makes an event like others that differ only in the task: the queue, the method and the error. */
export function likeness(event: RunEvent): { readonly from: string; readonly about: string } {
  const method = "task" in event ? `${cut(printable(event.task.method), MAX_METHOD)}: ` : "";
  const error = "error" in event ? describeThrown(event.error, false) : LIKENESS[event.kind];
  return { from: `memq ${event.queue}`, about: `${method}${error}` };
}

const LIKENESS: Readonly<Record<Exclude<RunEvent["kind"], "retry" | "dead" | "stray" | "unserved">, string>> =
  {
    done: "done",
    handedBack: "handed back",
    leaseLost: "its lease was lost",
    unrecorded: "its outcome could not be recorded",
    cancelled: "cancelled",
    finding: "found in the queue",
    loss: "tasks were lost",
    hung: "its handler goes on",
  };

/** What is no outcome on record, and nothing that was found. */
type Aside = Of<"stray" | "hung" | "unserved" | "unrecorded">;

const ASIDE: readonly RunEvent["kind"][] = ["stray", "hung", "unserved", "unrecorded"];
const isAside = (event: RunEvent): event is Aside => ASIDE.includes(event.kind);

function asideLine(at: string, event: Aside, verbose: boolean): string {
  switch (event.kind) {
    case "stray":
      return `${at}: an error outside any task: ${describeThrown(event.error, verbose)}`;
    case "hung":
      return `${at}: ${taskName(event)} goes on though its time was up, and ignores its signal: this worker is replaced`;
    case "unrecorded":
      return `${at}: ${taskName(event)} ran, but its outcome could not be recorded: it may run again`;
    case "unserved":
      return `${at}: cannot be worked on, and is tried again until it can: ${describeThrown(event.error, verbose)}`;
  }
}

type Of<K extends RunEvent["kind"]> = Extract<RunEvent, { readonly kind: K }>;

function failureLine(
  at: string,
  event: Of<"retry" | "dead">,
  { verbose, nowMs }: { readonly verbose: boolean; readonly nowMs: number },
): string {
  const attempt = `attempt ${String(event.attempt)}`;
  const what =
    event.kind === "dead"
      ? `is dead (attempts: ${String(event.attempt)})`
      : `failed (${attempt}, again in ${formatDuration(Math.max(0, event.at - nowMs))})`;
  return `${at}: ${taskName(event)} ${what}: ${describeThrown(event.error, verbose)}`;
}

/** What only --verbose shows. */
function quietLine(
  at: string,
  event: Of<"done" | "handedBack" | "cancelled">,
  verbose: boolean,
): string | undefined {
  if (!verbose) return undefined;
  switch (event.kind) {
    case "done":
      return `${at}: ${taskName(event)} done in ${formatDuration(event.ms)}${returned(event.result)}`;
    case "handedBack":
      return `${at}: ${taskName(event)} was handed back: ${printable(event.why)}`;
    case "cancelled":
      return `${at}: ${taskName(event)} was cancelled before it started`;
  }
}

const taskName = ({ task }: { task: { id: string; method: string } }): string =>
  `task ${task.id} ${cut(printable(task.method), MAX_METHOD)}`;

const returned = (value: unknown): string =>
  value === undefined ? "" : `: ${inspect(value, { depth: 4, breakLength: Infinity })}`;

function findingLine(at: string, finding: Finding, verbose: boolean): string | undefined {
  switch (finding.kind) {
    case "buried":
      return `${at}: task ${finding.id} is dead: ${printable(finding.reason)}`;
    case "newer":
      return `${at}: task ${finding.id} was written by a newer memq and is left alone`;
    case "unkept":
      return `${at}: task ${finding.id} is done, but there is no room for its result`;
    case "missing":
      // Purged and refused tasks leave their names in lists; what a server threw away is told as a loss.
      return verbose ? `${at}: ${String(finding.count)} listed tasks were gone` : undefined;
  }
}

/** A loss, for people. */
export function lossLine(at: string, loss: Loss): string {
  return `${at}: ${lossText(loss)}, found out ${localTime(loss.at)} [TASKS_LOST]\n  ${ERRORS.TASKS_LOST.next}`;
}
