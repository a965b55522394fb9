import { MemqError } from "../errors.ts";
import { readEventTask, type EventTask } from "../task/event-task.ts";
import { topicFault } from "../task/topic.ts";

/** Who listens to an event, or to all that a pattern stands for. */
export interface Listening {
  readonly on: string;
  readonly tasks: readonly EventTask[];
}

/**
 * What a program that listens said. `assertQueue` throws for a queue that is not there.
 * @throws MemqError USAGE; CALL_INVALID and ARGS_INVALID for a task that is none
 */
export function listeningTo(
  event: string,
  tasks: readonly string[],
  assertQueue: (queue: string) => unknown,
): Listening {
  const fault = typeof event === "string" ? topicFault(event) : "is not a text";
  if (fault !== undefined) throw new MemqError("USAGE", `event ${JSON.stringify(event)} ${fault}`);
  if (tasks.length === 0) throw new MemqError("USAGE", `name the tasks of event "${event}"`);
  const read = tasks.map((text) => readTask(event, text));
  for (const { queue } of read) if (queue !== undefined) assertQueue(queue);
  return { on: event, tasks: read };
}

function readTask(event: string, text: string): EventTask {
  try {
    return readEventTask(text);
  } catch (error) {
    if (!(error instanceof MemqError)) throw new MemqError("USAGE", `a task of event "${event}" is a text`);
    throw new MemqError(error.code, `event "${event}": ${JSON.stringify(text)}: ${error.message}`, {
      cause: error,
    });
  }
}
