import type { QueueConfig } from "../config/config.ts";
import type { Json, TaskRecord } from "../task/task.ts";
import { cut, isoTime, printable } from "./printable.ts";

/** A task with the queue it is in. */
export interface QueuedRecord {
  readonly queue: QueueConfig;
  readonly record: TaskRecord;
}

const BROKEN = "the stored bytes are not a task";

/** `Worker.saveToLocal("hello")` on one line of at most `limit` characters. */
export function callText({ queue, record }: QueuedRecord, limit: number): string {
  const { task, fault = BROKEN, error } = record;
  // A dead letter's error stands beside it.
  if (task === undefined) return cut(error === fault ? "(cannot be run)" : `(${printable(fault)})`, limit);
  const name = printable(`${task.class ?? queue.className}.${task.method}`);
  return cut(`${name}(${argsText(task.args, limit)})`, limit);
}

/** Enough of the arguments; a long one is not encoded as a whole only to be cut. */
function argsText(args: readonly Json[], limit: number): string {
  const shown: string[] = [];
  let length = 0;
  for (const arg of args) {
    const short = typeof arg === "string" ? arg.slice(0, limit) : arg;
    const text = printable(JSON.stringify(short));
    shown.push(text);
    length += text.length;
    if (length > limit) break;
  }
  return shown.join(", ");
}

/** What `at` means in each state, for programs. */
const AT = { waiting: "waitingSince", delayed: "dueAt", running: "leaseEndsAt", dead: "diedAt" } as const;

/** A task for programs; `class` is the one that would run it. */
export function recordJson({ queue, record }: QueuedRecord): object {
  const { id, state, task, fault, attempts, at, error, holder } = record;
  return {
    id,
    queue: queue.name,
    state,
    ...(task === undefined
      ? { broken: true, ...(fault !== undefined && { fault }) }
      : {
          class: task.class ?? queue.className,
          method: task.method,
          args: task.args,
          publishedAt: isoTime(task.bornAt),
          ...(task.key !== undefined && { key: task.key }),
          ...(task.retries !== undefined && { retries: task.retries }),
          ...(task.timeoutMs !== undefined && { timeoutMs: task.timeoutMs }),
        }),
    attempts,
    [AT[state]]: isoTime(at),
    ...(error !== undefined && { error }),
    ...(holder !== undefined && { holder }),
  };
}
