import { MemqError } from "../../errors.ts";
import { formatDuration } from "../../task/duration.ts";
import type { Progress } from "../../task/result.ts";
import type { TaskRecord } from "../../task/task.ts";
import { columns } from "../columns.ts";
import { printable, printableLines } from "../printable.ts";
import { localTime } from "../../telemetry/local-time.ts";
import { doneJson, doneText, locateOrDone } from "../done-task.ts";
import { progressJson, progressText } from "../progress-text.ts";
import { chooseQueues, type Choice } from "../queues.ts";
import type { Session } from "../shell.ts";
import { readTarget } from "../targets.ts";
import { callText, recordJson, type QueuedRecord } from "../task-text.ts";

/** `memq show`: everything about one task, wherever it is. */
export async function show(session: Session): Promise<number> {
  const target = readTarget(session.parsed);
  const [name, ...more] = target.kind === "all" ? [] : target.names;
  if (name === undefined || more.length > 0) throw new MemqError("USAGE", "takes one id, or --key");
  const choice = chooseQueues(session);
  const found = await locateOrDone(choice, name);
  const asJson = session.parsed.flag("json");
  if ("result" in found)
    session.print(asJson ? JSON.stringify(doneJson(found)) : doneText(found, Date.now()));
  else session.print(await shown(choice, found, asJson));
  return choice.exit;
}

async function shown({ memq }: Choice, found: QueuedRecord, asJson: boolean): Promise<string> {
  const { queue, record } = found;
  const progress =
    record.state === "running"
      ? (await (await memq.broker(queue.name)).results.progress([record.id])).get(record.id)
      : undefined;
  if (!asJson) return taskText(found, progress, Date.now());
  return JSON.stringify({ ...recordJson(found), ...(progress && { progress: progressJson(progress) }) });
}

function taskText(found: QueuedRecord, progress: Progress | undefined, nowMs: number): string {
  const { queue, record } = found;
  const lines = columns([
    ["id", record.id],
    ["queue", queue.name],
    ["state", stateText(record, nowMs)],
    ["task", callText(found, Infinity)],
    ["attempts", String(record.attempts)],
    ...(progress === undefined
      ? []
      : [["progress", `${progressText(progress)}, said ${localTime(progress.at)}`]]),
    ...optionRows(record),
    ...(record.error === undefined ? [] : [["error", indented(record.error)]]),
  ]);
  return lines.join("\n");
}

function stateText({ state, at, holder }: TaskRecord, nowMs: number): string {
  const when = localTime(at);
  const ago = formatDuration(Math.max(0, nowMs - at));
  const ahead = formatDuration(Math.max(0, at - nowMs));
  switch (state) {
    case "waiting":
      return `waiting since ${when} (${ago})`;
    case "delayed":
      return `delayed until ${when} (in ${ahead})`;
    case "running":
      return at > nowMs
        ? `running, held by ${holder ?? "somebody"} (its lease ends in ${ahead} unless it is renewed)`
        : `running when ${holder ?? "the run that held it"} ended; the next run takes it`;
    case "dead":
      return `dead since ${when} (${ago})`;
  }
}

function optionRows({ task }: TaskRecord): readonly (readonly string[])[] {
  if (task === undefined) return [];
  const { key, retries, timeoutMs, bornAt } = task;
  return [
    ["published", localTime(bornAt)],
    ...(key === undefined ? [] : [["key", printable(key)]]),
    ...(retries === undefined ? [] : [["retries", String(retries)]]),
    ...(timeoutMs === undefined ? [] : [["timeout", formatDuration(timeoutMs)]]),
  ];
}

// Under the first line of the value, so that the names in front stay easy to find.
const indented = (text: string): string =>
  printableLines(text.trimEnd()).replaceAll("\n", `\n${" ".repeat(11)}`);
