import { MemqError } from "../errors.ts";
import { readEventTask, type EventTask } from "../task/event-task.ts";
import { topicFault } from "../task/topic.ts";
import type { Section } from "./document.ts";
import { type Fault, quote, subjectOf } from "./fault.ts";
import { nearest } from "../task/nearest.ts";
import type { ValueType } from "./reading.ts";

/** An event, or a pattern of events. */
export const TOPIC: ValueType<string> = {
  name: "event or topic pattern",
  read: (text) => {
    const fault = topicFault(text);
    return fault === undefined ? { value: text } : { fault };
  },
};

/** One of an event's tasks; a key that ends in `[]` collects them. */
export const EVENT_TASK: ValueType<readonly EventTask[]> = {
  name: "`METHOD @QUEUE after D`, repeatable",
  read: (text) => {
    try {
      return { value: [readEventTask(text)] };
    } catch (error) {
      if (!(error instanceof MemqError)) throw error;
      return { fault: `is not a task of an event: ${error.message}` };
    }
  },
};

/** The queues that an event's tasks name and that are not there, each with its own line. */
export function eventQueueFaults(section: Section, queueNames: readonly string[]): readonly Fault[] {
  return section.entries.flatMap(({ key, text, origin }): readonly Fault[] => {
    const reading = key === "task[]" ? EVENT_TASK.read(text) : undefined;
    const queue = reading !== undefined && "value" in reading ? reading.value[0]?.queue : undefined;
    if (queue === undefined || queueNames.includes(queue)) return [];
    const meant = nearest(queue, queueNames);
    const hint = meant === undefined ? "" : ` (did you mean ${quote(`@${meant}`)}?)`;
    const says = `${subjectOf(origin, key)} = ${quote(text)}: ${quote(queue)} is not a queue of this configuration${hint}`;
    return [{ origin, says, section: `${section.kind}.${section.name}` }];
  });
}
