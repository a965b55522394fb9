import type { QueueConfig } from "../config/config.ts";
import { MemqError } from "../errors.ts";
import type { Memq } from "../memq.ts";
import type { Registry } from "../run/registry.ts";
import { readCall } from "../task/call-text.ts";

/** The schedules of a queue whose tasks its handlers could not run. */
export function scheduleFaults(memq: Memq, queue: QueueConfig, registry: Registry): readonly MemqError[] {
  return memq.config.schedules
    .filter((schedule) => schedule.queue === queue.name)
    .flatMap(({ name, call }) => {
      const { class: className = queue.className, method } = readCall(call);
      const target = registry.target(className, method);
      return typeof target === "string"
        ? [new MemqError("CONFIG_INVALID", `schedule "${name}": ${target}`)]
        : [];
    });
}
