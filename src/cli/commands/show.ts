import { MemqError } from "../../errors.ts";
import { formatDuration } from "../../task/duration.ts";
import type { TaskRecord } from "../../task/task.ts";
import { columns } from "../columns.ts";
import { printable, printableLines } from "../printable.ts";
import { localTime } from "../../telemetry/local-time.ts";
import { chooseQueues } from "../queues.ts";
import type { Session } from "../shell.ts";
import { locate, readTarget } from "../targets.ts";
import { callText, recordJson, type QueuedRecord } from "../task-text.ts";

/** `memq show`: everything about one task, wherever it is. */
export async function show(session: Session): Promise<number> {
  const target = readTarget(session.parsed);
  const [name, ...more] = target.kind === "all" ? [] : target.names;
  if (name === undefined || more.length > 0) throw new MemqError("USAGE", "memq show takes one id, or --key");
  const choice = chooseQueues(session);
  const found = await locate(choice, name);
  session.print(
    session.parsed.flag("json") ? JSON.stringify(recordJson(found)) : taskText(found, Date.now()),
  );
  return choice.exit;
}

function taskText(found: QueuedRecord, nowMs: number): string {
  const { queue, record } = found;
  const lines = columns([
    ["id", record.id],
    ["queue", queue.name],
    ["state", stateText(record, nowMs)],
    ["task", callText(found, Infinity)],
    ["attempts", String(record.attempts)],
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
