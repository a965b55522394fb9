import type { QueueConfig } from "../config/config.ts";
import { MemqError } from "../errors.ts";
import type { Memq } from "../memq.ts";
import type { Registry } from "../run/registry.ts";

/** The tasks that events would bring to a queue and that its handlers could not run. */
export const eventFaults = (memq: Memq, queue: QueueConfig, registry: Registry): readonly MemqError[] =>
  memq.config.events.flatMap(({ name, tasks }) =>
    tasks
      .filter((task) => (task.queue ?? memq.queueConfig().name) === queue.name)
      .map((task) => registry.target(task.class ?? queue.className, task.method))
      .filter((target) => typeof target === "string")
      .map((why) => new MemqError("CONFIG_INVALID", `event "${name}": ${why}`)),
  );
