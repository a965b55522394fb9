import type { ScheduleConfig } from "../../../src/config/config.ts";
import type { Broker } from "../../../src/ports/broker.ts";
import type { Clock } from "../../../src/ports/clock.ts";
import { makePublisher } from "../../../src/publish/publisher.ts";
import type { Scheduling } from "../../../src/schedule/fire.ts";
import { plainCodec } from "../../../src/task/codec.ts";

/** A schedule as the configuration has it. */
export const configOf = (name: string, cron: string, rest: Partial<ScheduleConfig> = {}): ScheduleConfig => ({
  name,
  cron,
  timezone: "UTC",
  call: `report ${name}`,
  queue: "default",
  catchUp: "one",
  ...rest,
});

/** What an open configuration is to schedules, on one broker. */
export function schedulingOn(
  broker: Broker,
  clock: Clock,
  schedules: readonly ScheduleConfig[],
): Scheduling & { schedules: readonly ScheduleConfig[] } {
  const publisher = makePublisher({ broker, codec: plainCodec(10_000), clock });
  const scheduling = {
    schedules,
    get config() {
      return { schedules: scheduling.schedules, queues: [{ name: "default" }] as never };
    },
    broker: () => Promise.resolve(broker),
    publish: (method: string, args: Parameters<Scheduling["publish"]>[1], options: object) =>
      publisher.publish({ method, args }, withoutQueue(options)),
  };
  return scheduling;
}

function withoutQueue({ queue: _queue, ...options }: { readonly queue?: string }): object {
  return options;
}

/** `HH:MM` of moments, in UTC. */
export const clockTimes = (times: readonly number[]): string[] =>
  times.map((ms) => new Date(ms).toISOString().slice(11, 16));
