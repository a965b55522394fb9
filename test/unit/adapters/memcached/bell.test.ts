import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openMemcachedBroker } from "../../../../src/adapters/memcached/broker.ts";
import type { Wire } from "../../../../src/adapters/memcached/wire.ts";
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
const sleeper = (wire: Wire = server.wire()): Broker =>
  openMemcachedBroker({
    wire,
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

test("from the bell to a handler it is four round trips: block and list, the claim, a heartbeat, the mark", async () => {
  const wire = server.wire();
  const sent: string[] = [];
  const batch: Wire["batch"] = (operations) => {
    sent.push(operations.map(({ kind }) => kind).join(" "));
    return wire.batch(operations);
  };
  const [waiting, publisher] = [sleeper({ ...wire, batch }), sleeper()];
  const claimOne = async (): Promise<void> => {
    const [claim] = (await waiting.claim({ limit: 1, atOnce: 1 })).claims;
    if (claim === undefined) throw new Error("nothing was claimed");
    expect(await waiting.start(claim, { last: false })).toBe("started");
    await waiting.settle([{ claim, outcome: { kind: "done" } }]);
    await waiting.claim({ limit: 1, atOnce: 1 });
  };
  await publish(publisher);
  await claimOne();
  const before = naps;
  const heard = waiting.wait(Infinity, new AbortController().signal);
  await expect.poll(() => naps).toBeGreaterThan(before);
  sent.length = 0;
  await publish(publisher);
  await heard;
  await claimOne();
  if (sent[1] === "get") sent.splice(1, 1); // at the same time: what is due by now
  expect(sent.slice(0, 4)).toEqual(["touch get get", "replace get get", "touch", "replace"]);
  await Promise.all([waiting.close(), publisher.close()]);
});

test("a task for a paused queue wakes nobody for good", async () => {
  const [waiting, publisher] = [sleeper(), sleeper()];
  await publish(publisher);
  await waiting.claim({ limit: 1, atOnce: 1 });
  await publisher.pause();
  const stop = new AbortController();
  let isOver = false;
  const heard = waiting.wait(Infinity, stop.signal).then(() => (isOver = true));
  await expect.poll(() => naps).toBe(1);
  await publish(publisher);
  await expect.poll(() => naps).toBe(2);
  expect(isOver).toBe(false);
  stop.abort();
  await heard;
  await Promise.all([waiting.close(), publisher.close()]);
});

test("there is no bell where nobody has ever waited, and publishing does not make one", async () => {
  const broker = sleeper();
  await publish(broker);
  expect(existsSync(join(memory, "bells"))).toBe(false);
  await broker.close();
});
