import type { ScheduleConfig } from "../config/config.ts";
import { MemqError } from "../errors.ts";
import { nearest } from "../task/nearest.ts";
import type { Scheduling } from "./fire.ts";
import type { Memory } from "./memory.ts";
import { begin, paused } from "./next-step.ts";
import { Notebook } from "./notebook.ts";
import { scheduleOf } from "./schedule.ts";

/** The schedule of that name. @throws MemqError USAGE */
export function findSchedule({ config: { schedules } }: Scheduling, name: string): ScheduleConfig {
  const found = schedules.find((schedule) => schedule.name === name);
  if (found !== undefined) return found;
  const names = schedules.map((schedule) => schedule.name);
  const near = nearest(name, names);
  const there = names.length === 0 ? "it has none" : `it has ${names.join(", ")}`;
  const hint = near === undefined ? there : `did you mean "${near}"?`;
  throw new MemqError("USAGE", `the configuration has no schedule "${name}", ${hint}`);
}

/** What is remembered of a schedule; undefined: no run has seen it yet. */
export async function recall(memq: Scheduling, { name, queue }: ScheduleConfig): Promise<Memory | undefined> {
  return (await new Notebook((await memq.broker(queue)).notes, name).read()).memory;
}

/** Publishes the schedule's task now, beside its times; resolves with its id. */
export function runNow(memq: Scheduling, config: ScheduleConfig): Promise<string> {
  const { queue, call } = scheduleOf(config);
  return memq.publish(call.method, call.args, {
    queue,
    ...(call.class !== undefined && { class: call.class }),
  });
}

/** Holds a schedule back, or lets it go on, for every host. Times that fall into the pause are not made up for. */
export async function setPaused(
  memq: Scheduling,
  config: ScheduleConfig,
  { isPaused, nowMs }: { readonly isPaused: boolean; readonly nowMs: number },
): Promise<void> {
  const schedule = scheduleOf(config);
  const notebook = new Notebook((await memq.broker(config.queue)).notes, config.name);
  await notebook.change((memory) => paused(memory ?? begin(schedule, undefined, nowMs), isPaused, nowMs));
}
