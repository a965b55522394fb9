import { MemqError, worstExit } from "../../errors.ts";
import { shellWord } from "../../cron/shell-word.ts";
import { formatDuration } from "../../task/duration.ts";
import { nearest } from "../../task/nearest.ts";
import { TASK_STATES, type TaskRecord, type TaskState } from "../../task/task.ts";
import { columns } from "../columns.ts";
import { cursorText, listTasks, readCursor, type Listing } from "../listing.ts";
import { wholeNumber } from "../option-values.ts";
import type { Parsed } from "../options.ts";
import { cut, printable } from "../printable.ts";
import { chooseQueues, complainOfQueues } from "../queues.ts";
import type { Session } from "../shell.ts";
import { callText, recordJson } from "../task-text.ts";

const DEFAULT_LIMIT = 20; // a screenful
const MOST_LISTED = 10_000; // they are held in memory, and each may be as large as max-size
const CALL_WIDTH = 60;
const ERROR_WIDTH = 100;

/** `memq list`: the tasks in one state, page by page. Consumes nothing. */
export async function list(session: Session): Promise<number> {
  const { parsed } = session;
  const state = readState(parsed.words);
  const limit = readLimit(parsed);
  const choice = chooseQueues(session);
  const after = parsed.text("after");
  const from = after === undefined ? undefined : readCursor(after, choice.queues);
  const listing = await listTasks(choice, { state, limit, from });
  if (parsed.flag("json")) session.print(listingJson(listing));
  else showListing(session, listing, { state, ofSeveral: choice.queues.length > 1 });
  return worstExit([choice.exit, complainOfQueues(session, listing.failures)]);
}

function readState([word, ...more]: readonly string[]): TaskState {
  if (more.length > 0) throw new MemqError("USAGE", "takes one state");
  const state = TASK_STATES.find((name) => name === (word ?? "waiting"));
  if (state !== undefined) return state;
  const near = nearest(word ?? "", TASK_STATES);
  const hint = near === undefined ? `there are ${TASK_STATES.join(", ")}` : `did you mean "${near}"?`;
  throw new MemqError("USAGE", `${JSON.stringify(word)} is no state of a task, ${hint}`);
}

function readLimit(parsed: Parsed): number {
  const limit = wholeNumber(parsed, "limit", 1) ?? DEFAULT_LIMIT;
  if (limit <= MOST_LISTED) return limit;
  const most = String(MOST_LISTED);
  throw new MemqError("USAGE", `--limit ${String(limit)} is more than ${most}: go on with --after`);
}

function listingJson({ tasks, next }: Listing): string {
  const shown = tasks.map(recordJson);
  return JSON.stringify({ tasks: shown, ...(next !== undefined && { next: cursorText(next) }) });
}

interface Look {
  readonly state: TaskState;
  readonly ofSeveral: boolean;
}

function showListing(session: Session, listing: Listing, look: Look): void {
  const { tasks, next } = listing;
  if (tasks.length > 0) session.print(listingTable(listing, look, Date.now()));
  else if (listing.failures.length === 0) session.say(NOTHING[look.state]);
  if (next !== undefined) session.say(`More: ${nextPage(session.parsed, look.state, cursorText(next))}`);
}

/** The command that shows the next page, as it can be pasted into a shell. */
export function nextPage({ text }: Pick<Parsed, "text">, state: TaskState, cursor: string): string {
  const given = ["config", "queue", "limit"].flatMap((name) => {
    const value = text(name);
    return value === undefined ? [] : [`--${name}`, value];
  });
  return ["memq", "list", state, ...given, "--after", cursor].map(shellWord).join(" ");
}

const NOTHING: Readonly<Record<TaskState, string>> = {
  waiting: "No task is waiting.",
  delayed: "No task is delayed.",
  running: "No task is running.",
  dead: "There are no dead letters.",
};

function listingTable({ tasks }: Listing, { state, ofSeveral }: Look, nowMs: number): string {
  const hasErrors = tasks.some(({ record }) => record.error !== undefined);
  const rows = tasks.map((task) => [
    task.record.id,
    ...(ofSeveral ? [task.queue.name] : []),
    whenText(task.record, nowMs),
    String(task.record.attempts),
    callText(task, CALL_WIDTH),
    ...(hasErrors ? [errorText(task.record)] : []),
  ]);
  const headings = [
    "id",
    ...(ofSeveral ? ["queue"] : []),
    WHEN[state],
    "attempts",
    "task",
    ...(hasErrors ? ["error"] : []),
  ];
  return columns([headings, ...rows], { right: [headings.indexOf("attempts")] }).join("\n");
}

const WHEN: Readonly<Record<TaskState, string>> = {
  waiting: "waits",
  delayed: "due",
  running: "held by",
  dead: "died",
};

function whenText({ state, at, holder }: TaskRecord, nowMs: number): string {
  switch (state) {
    case "waiting":
      return formatDuration(Math.max(0, nowMs - at));
    case "delayed":
      return `in ${formatDuration(Math.max(0, at - nowMs))}`;
    case "running":
      return at > nowMs ? (holder ?? "?") : `${holder ?? "a run"} (ended)`;
    case "dead":
      return `${formatDuration(Math.max(0, nowMs - at))} ago`;
  }
}

const errorText = ({ error = "" }: TaskRecord): string =>
  cut(printable(error.trim().replace(/\s*\n\s*/g, " ")), ERROR_WIDTH);
