import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Connection } from "../../../../src/adapters/embedded/connection.ts";
import type { Broker } from "../../../../src/ports/broker.ts";
import { keep, named, takeOne } from "../../../contract/facts/ground.ts";
import { EmbeddedQueue } from "../../../contract/embedded.harness.ts";

let queue: EmbeddedQueue;
let owner: Broker;
let publisher: Broker;

beforeEach(async () => {
  queue = new EmbeddedQueue();
  [owner, publisher] = [await queue.open(), await queue.open()];
});

afterEach(async () => {
  vi.restoreAllMocks();
  await queue.tearDown();
});

/** The tables that are read, from the publish on, until the wait is over. */
async function readUntilHeard(name: string): Promise<readonly string[]> {
  const naps = vi.spyOn(queue.clock, "until");
  const heard = owner.wait(queue.now() + 3_600_000, new AbortController().signal);
  await expect.poll(() => naps.mock.calls.length).toBe(1);
  await keep(publisher, named(name));
  const get = vi.spyOn(Connection.prototype, "get");
  await heard;
  return get.mock.calls.flatMap(([sql]) => /\bFROM (\w+)/.exec(sql)?.[1] ?? []);
}

test("who hears of a task looks at the queue's row alone: the claim sees the rest", async () => {
  expect(await readUntilHeard("a")).toEqual(["queue"]);
  expect((await takeOne(owner)).task.args).toEqual(["a"]);
});
