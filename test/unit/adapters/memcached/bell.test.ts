import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openMemcachedBroker } from "../../../../src/adapters/memcached/broker.ts";
import type { Broker } from "../../../../src/ports/broker.ts";
import { plainCodec } from "../../../../src/task/codec.ts";
import { FakeMemcached } from "../../../servers/fake-memcached.ts";

let memory: string;
let server: FakeMemcached;
let naps = 0;
beforeEach(() => {
  memory = mkdtempSync(join(tmpdir(), "memq-bell-"));
  server = new FakeMemcached(Date.now);
  naps = 0;
});
afterEach(() => {
  rmSync(memory, { recursive: true, force: true });
});

/** An owner that never looks by itself a second time. */
const sleeper = (): Broker =>
  openMemcachedBroker({
    wire: server.wire(),
    queue: "q",
    codec: plainCodec(10_000),
    memory,
    clock: {
      now: Date.now,
      upMs: () => performance.now(),
      until: (_, signal) =>
        new Promise((resolve) => {
          naps++;
          signal?.addEventListener("abort", () => {
            resolve();
          });
        }),
    },
  });

const publish = async (broker: Broker): Promise<void> => {
  await broker.publish([{ method: "push", args: [] }]);
};

test("who waits hears of what another owner on this host publishes and hands back", async () => {
  const [waiting, working] = [sleeper(), sleeper()];
  const hears = async (deed: () => Promise<unknown>): Promise<void> => {
    const before = naps;
    const heard = waiting.wait(Infinity, new AbortController().signal);
    await expect.poll(() => naps).toBeGreaterThan(before);
    await deed();
    await heard;
  };
  await publish(working);
  await publish(working);
  await waiting.claim({ limit: 1, atOnce: 1 });
  const { claims } = await working.claim({ limit: 1, atOnce: 1 });
  expect(claims).toHaveLength(1);
  await hears(() => working.release(claims));
  await waiting.claim({ limit: 1, atOnce: 1 });
  await hears(() => publish(working));
  await Promise.all([waiting.close(), working.close()]);
});

test("there is no bell where nobody has ever waited, and publishing does not make one", async () => {
  const broker = sleeper();
  await publish(broker);
  expect(existsSync(join(memory, "bells"))).toBe(false);
  await broker.close();
});
