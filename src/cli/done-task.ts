import type { QueueConfig } from "../config/config.ts";
import { MemqError } from "../errors.ts";
import { formatDuration } from "../task/duration.ts";
import type { TaskResult } from "../task/result.ts";
import { localTime } from "../telemetry/local-time.ts";
import { columns } from "./columns.ts";
import { cut, isoTime, printable } from "./printable.ts";
import { askQueues, type Choice } from "./queues.ts";
import { locate, type Name } from "./targets.ts";
import type { QueuedRecord } from "./task-text.ts";

type DoneResult = Extract<TaskResult, { readonly kind: "done" }>;

/** A task that is done and whose result is kept, with its queue. */
export interface DoneTask {
  readonly queue: QueueConfig;
  readonly result: DoneResult;
}

/** The task, or what is kept of it. @throws MemqError as `locate` */
export async function locateOrDone(choice: Choice, name: Name): Promise<QueuedRecord | DoneTask> {
  try {
    return await locate(choice, name);
  } catch (error) {
    const done =
      error instanceof MemqError && name.kind === "id" ? await findDone(choice, name.id) : undefined;
    if (done === undefined) throw error;
    return done;
  }
}

async function findDone({ memq, queues }: Choice, id: string): Promise<DoneTask | undefined> {
  const { answers } = await askQueues(memq, queues, (broker) => broker.results.find(id));
  return answers.flatMap(({ queue, value }) => (value?.kind === "done" ? [{ queue, result: value }] : []))[0];
}

/** Everything that is known of it. */
export function doneText({ queue, result }: DoneTask, nowMs: number): string {
  const { id, at, ms, attempt } = result;
  const ago = formatDuration(Math.max(0, nowMs - at));
  return columns([
    ["id", id],
    ["queue", queue.name],
    ["state", `done since ${localTime(at)} (${ago}), in ${formatDuration(ms)}`],
    ["attempts", String(attempt)],
    ["result", valueText(result)],
  ]).join("\n");
}

/** A sentence about it. */
export function whyDone({ queue, result }: DoneTask): string {
  const { id, at, ms, attempt } = result;
  const tried = attempt === 1 ? "" : ` at attempt ${String(attempt)}`;
  const value = cut(valueText(result), VALUE_WIDTH);
  return `Task ${id} of queue ${queue.name} is done since ${localTime(at)}${tried}, in ${formatDuration(ms)}. Its result: ${value}.`;
}

const VALUE_WIDTH = 200;

function valueText({ value, omitted }: DoneResult): string {
  if (omitted !== undefined) return `not kept: ${printable(omitted)}`;
  return value === undefined ? "nothing" : printable(JSON.stringify(value));
}

/** The same for programs. */
export function doneJson({ queue, result }: DoneTask): object {
  const { id, value, omitted, attempt, ms, at } = result;
  return {
    id,
    queue: queue.name,
    state: "done",
    attempts: attempt,
    doneAt: isoTime(at),
    ms,
    ...(value !== undefined && { result: value }),
    ...(omitted !== undefined && { omitted }),
  };
}
