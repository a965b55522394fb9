import { describeError } from "../errors.ts";
import { formatDuration } from "../task/duration.ts";
import type { RunEvent } from "./events.ts";
import { lossText } from "./loss-text.ts";

// The whole text is kept with the task.
const MOST_TEXT = 1_000;

/** What the log says of an event: `push 7f3k2m saveToLocal done in 12ms`. */
export function logText(event: RunEvent): string {
  const { queue } = event;
  if (isAside(event)) return `${queue} ${asideText(event)}`;
  switch (event.kind) {
    case "done":
      return `${queue} ${taskText(event)} done in ${formatDuration(event.ms)}`;
    case "retry":
      return `${queue} ${taskText(event)} failed (attempt ${String(event.attempt)}, again at ${timeText(event.at)}): ${describeError(event.error)}`;
    case "dead":
      return `${queue} ${taskText(event)} is dead (attempts: ${String(event.attempt)}): ${describeError(event.error)}`;
    case "handedBack":
      return `${queue} ${taskText(event)} handed back: ${event.why}`;
    case "leaseLost":
      return `${queue} ${taskText(event)} lost its lease`;
    case "cancelled":
      return `${queue} ${taskText(event)} was cancelled`;
    case "finding":
    case "loss":
      return `${queue} ${foundText(event)}`;
  }
}

type Aside = Extract<RunEvent, { readonly kind: "stray" | "hung" | "unserved" | "unrecorded" }>;

const ASIDE: readonly RunEvent["kind"][] = ["stray", "hung", "unserved", "unrecorded"];
const isAside = (event: RunEvent): event is Aside => ASIDE.includes(event.kind);

function asideText(event: Aside): string {
  switch (event.kind) {
    case "stray":
      return `an error outside any task: ${describeError(event.error)}`;
    case "hung":
      return `${taskText(event)} goes on though its time was up`;
    case "unrecorded":
      return `${taskText(event)} ran, but its outcome could not be recorded: it may run again`;
    case "unserved":
      return `cannot be worked on: ${describeError(event.error)}`;
  }
}

function foundText(event: Extract<RunEvent, { readonly kind: "finding" | "loss" }>): string {
  if (event.kind === "loss") return lossText(event.loss);
  const { finding } = event;
  switch (finding.kind) {
    case "buried":
      return `${finding.id} is dead: ${finding.reason}`;
    case "newer":
      return `${finding.id} was written by a newer memq and is left alone`;
    case "unkept":
      return `${finding.id} is done, but there is no room for its result`;
    case "missing":
      return `${String(finding.count)} listed tasks were gone`;
  }
}

const taskText = ({ task }: { readonly task: { readonly id: string; readonly method: string } }): string =>
  `${task.id} ${task.method}`;

/** A line of the log: when, which process, what. On one line, whatever an error says. */
export function logLine(text: string, nowMs: number): string {
  const short = text.length <= MOST_TEXT ? text : `${text.slice(0, MOST_TEXT)}…`;
  return `${timeText(nowMs)} [${String(process.pid)}] ${short.replace(UNPRINTABLE, " ")}`;
}

// A line end would make two lines of one, an escape would act on the reader's terminal.
const UNPRINTABLE = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g;

/** Local time with its distance from UTC: `2026-01-31T08:30:00.123+01:00`. */
export function timeText(ms: number): string {
  const date = new Date(ms);
  const offset = -date.getTimezoneOffset();
  const local = new Date(ms + offset * 60_000).toISOString().slice(0, -1);
  const [hours, minutes] = [Math.trunc(Math.abs(offset) / 60), Math.abs(offset) % 60];
  return `${local}${offset < 0 ? "-" : "+"}${twoDigits(hours)}:${twoDigits(minutes)}`;
}

const twoDigits = (value: number): string => String(value).padStart(2, "0");
