import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { Brokers } from "../../src/brokers.ts";
import type { Config, QueueConfig } from "../../src/config/config.ts";
import { systemClock } from "../../src/ports/clock.ts";

test("a broker that fails to close keeps none from being closed", async () => {
  const folder = mkdtempSync(join(tmpdir(), "memq-brokers-"));
  const queue = (name: string): QueueConfig =>
    ({ name, storePath: join(folder, name), timeoutMs: 1_000, maxTaskBytes: 1_000 }) as QueueConfig;
  const brokers = new Brokers({} as Config, systemClock);
  const opened = [await brokers.open(queue("a")), await brokers.open(queue("b"))];
  const closed: string[] = [];
  for (const { broker } of opened) {
    broker.close = () => {
      closed.push(broker.queue);
      return Promise.reject(new Error(`${broker.queue} does not close`));
    };
  }
  await expect(brokers.close()).rejects.toThrow("a does not close");
  expect(closed).toEqual(expect.arrayContaining(["a", "b"]));
  rmSync(folder, { recursive: true });
});
