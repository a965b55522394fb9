import { expect, test } from "vitest";
import { runQueues } from "../../../src/run/run.ts";
import { ground, noted, numbered, partsOf, publish, type Ground } from "./ground.ts";

class Worker {
  push(): void {
    // nothing takes less
  }
}

/** How often a run looked at its queue, and what it reported. */
async function looksOf(place: Ground): Promise<{ readonly looks: number; readonly left: unknown }> {
  let looks = 0;
  const { broker, ...parts } = partsOf(place, { Worker });
  const counted = noted(broker, (name) => (looks += name === "depth" ? 1 : 0));
  const { queues } = await runQueues([
    { ...parts, queue: broker.queue, open: () => Promise.resolve(counted) },
  ]);
  return { looks, left: queues[0]?.left };
}

test("a run that finds nothing to do looks once", async () => {
  expect(await looksOf(ground())).toEqual({ looks: 1, left: 0 });
});

test("a run that finds its queue paused reports what it saw, without another look", async () => {
  const place = ground();
  await publish(place.broker, ...numbered("push", 3));
  await place.broker.pause();
  expect(await looksOf(place)).toEqual({ looks: 1, left: 3 });
});

test("a run that did something looks again for what is left", async () => {
  const place = ground();
  await publish(place.broker, ...numbered("push", 3));
  expect(await looksOf(place)).toEqual({ looks: 2, left: 0 });
});
