import type { EventConfig, ScheduleConfig } from "./config.ts";
import type { Section } from "./document.ts";
import { eventQueueFaults } from "./event.ts";
import { type Fault, quote } from "./fault.ts";
import { given, type Layer, settingsOf, valuesOf } from "./layer.ts";
import { nearest } from "../task/nearest.ts";
import { EVENT_SETTINGS, SCHEDULE_SETTINGS } from "./schema.ts";

/** A `[schedule.NAME]` that was read without fault; `queueName`: where its tasks go by default. */
export function scheduleOf(section: Section, layer: Layer, queueName: string): ScheduleConfig {
  const values = valuesOf(SCHEDULE_SETTINGS, [layer]);
  return {
    name: section.name,
    cron: values.cron,
    call: values.call,
    queue: values.queue ?? queueName,
    catchUp: values["catch-up"],
    ...(values.timezone !== undefined && { timezone: values.timezone }),
  };
}

/** An `[event.NAME]` that was read without fault. */
export function eventOf(section: Section, layer: Layer): EventConfig {
  const values = valuesOf(EVENT_SETTINGS, [layer]);
  return { name: section.name, on: values.on ?? section.name, tasks: values["task[]"] };
}

/** What a schedule or an event lacks: a key it cannot do without, or the queue it names. */
export function triggerFaults(
  section: Section,
  layer: Layer,
  queueNames: readonly string[],
): readonly Fault[] {
  const label = `${section.kind}.${section.name}`;
  const missing = Object.entries(settingsOf(section.kind))
    .filter(([key, setting]) => setting.required === true && !layer.has(key))
    .map(([key]): Fault => ({ origin: section.origin, says: `[${label}] needs ${key} = …`, section: label }));
  if (section.kind === "event") return [...missing, ...eventQueueFaults(section, queueNames)];
  const queue = given("queue", [layer]);
  if (typeof queue?.value !== "string" || queueNames.includes(queue.value)) return missing;
  const meant = nearest(queue.value, queueNames);
  const hint = meant === undefined ? "" : ` (did you mean ${quote(meant)}?)`;
  const says = `queue = ${quote(queue.value)} is not a queue of this configuration${hint}`;
  return [...missing, { origin: queue.origin, says, section: label }];
}
