import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openMemcachedBroker } from "../../../../src/adapters/memcached/broker.ts";
import { readCounts } from "../../../../src/adapters/memcached/delayed-counts.ts";
import type { Limits } from "../../../../src/adapters/memcached/parts.ts";
import type { Broker } from "../../../../src/ports/broker.ts";
import type { Draft } from "../../../../src/task/task.ts";
import { plainCodec } from "../../../../src/task/codec.ts";
import { FakeMemcached } from "../../../servers/fake-memcached.ts";

const HOUR_MS = 3_600_000;

let now: number;
let server: FakeMemcached;
let memory: string;

beforeEach(() => {
  now = Date.UTC(2026, 0, 1);
  server = new FakeMemcached(() => now);
  memory = mkdtempSync(join(tmpdir(), "memq-vanished-"));
});
afterEach(() => {
  rmSync(memory, { recursive: true, force: true });
});

/** An owner on a host that remembers the queue in a folder of its own. */
const open = (host = "one", limits: Partial<Limits> = {}): Broker =>
  openMemcachedBroker({
    wire: server.wire(),
    queue: "q",
    codec: plainCodec(10_000),
    memory: join(memory, host),
    clock: { now: () => now, upMs: () => now, until: () => Promise.resolve() },
    elapsedMs: () => now,
    limits,
    bundle: 1,
    holder: { host, realm: "", pid: 1, startedAt: "1" },
  });

const drafts = (count: number, dueAt: number, more: Partial<Draft> = {}): readonly Draft[] =>
  Array.from({ length: count }, (_, n) => ({ method: "m", args: [n], dueAt, ...more }));

/** Throws buckets away, and everything that they name. */
function evict(isGone: (key: string) => boolean = () => true): void {
  const buckets = [...server.items.keys()].filter((key) => /:\w{8}:d\d+/.test(key) && isGone(key));
  expect(buckets).not.toEqual([]);
  for (const key of buckets) server.evict(key);
}

/** Runs whatever can be run, as a run does, and answers what it has to tell. */
async function run(owner: Broker): Promise<{ readonly ran: number; readonly losses: unknown }> {
  let ran = 0;
  for (;;) {
    const { claims } = await owner.claim({ limit: 100, atOnce: 1 });
    if (claims.length === 0) return { ran, losses: await owner.losses() };
    for (const claim of claims) {
      expect(await owner.start(claim, { last: false })).toBe("started");
      await owner.settle([{ claim, outcome: { kind: "done" } }]);
      ran += 1;
    }
  }
}

const lost = (atLeast: number): unknown => [{ at: now, cause: "eviction", atLeast }];

describe("a bucket of delayed tasks that the server has thrown away", () => {
  test("is seen before it falls due, and told once by each host", async () => {
    const owner = open();
    await owner.publish([...drafts(5, now + HOUR_MS), ...drafts(2, now + 2 * HOUR_MS)]);
    const other = open("two");
    expect(await run(owner)).toEqual({ ran: 0, losses: [] });
    expect(await run(other)).toEqual({ ran: 0, losses: [] });
    const minute = String(Math.floor((now + HOUR_MS) / 60_000));
    evict((key) => key.endsWith(`:d${minute}`));
    await other.depth();
    expect(await other.losses({ keep: true })).toEqual(lost(5));
    expect(await run(owner)).toEqual({ ran: 0, losses: lost(5) });
    expect(await run(owner)).toEqual({ ran: 0, losses: [] });
    expect(await run(other)).toEqual({ ran: 0, losses: lost(5) });
    now += 3 * HOUR_MS;
    expect(await run(owner)).toEqual({ ran: 2, losses: [] });
    expect(await run(other)).toEqual({ ran: 0, losses: [] });
  });

  test("is told when it falls due, where nobody looked before", async () => {
    const owner = open();
    await owner.publish(drafts(5, now + HOUR_MS));
    await owner.publish(drafts(3, now + HOUR_MS + 30_000));
    evict();
    now += HOUR_MS + 5_000;
    expect(await run(owner)).toEqual({ ran: 0, losses: lost(8) });
    now += HOUR_MS;
    expect(await run(owner)).toEqual({ ran: 0, losses: [] });
  });

  test("and has been begun anew since is told all the same", async () => {
    await open().publish(drafts(5, now + HOUR_MS));
    evict();
    const owner = open();
    await owner.publish(drafts(2, now + HOUR_MS));
    now += HOUR_MS;
    expect(await run(owner)).toEqual({ ran: 2, losses: lost(5) });
  });

  test("in part is told in part", async () => {
    const owner = open("one", { bucketBytes: 60 });
    for (let batch = 0; batch < 4; batch++) await owner.publish(drafts(10, now + HOUR_MS));
    const parts = [...server.items.keys()].filter((key) => /:\w{8}:d\d+\./.test(key));
    evict((key) => key === parts[0]);
    now += HOUR_MS;
    const { ran, losses } = await run(owner);
    expect(losses).toEqual(lost(40 - ran));
    expect(ran).toBeLessThan(40);
  });

  test("counts no task that was cancelled, purged or replaced, and none twice", async () => {
    const owner = open();
    const [one] = await owner.publish(drafts(3, now + HOUR_MS));
    if (one?.kind !== "kept") throw new Error("not kept");
    expect(await owner.cancel(one.id)).toBe("cancelled");
    await owner.publish(drafts(1, now + HOUR_MS, { key: "k", onDuplicate: "keep" }));
    await owner.publish(drafts(1, now + HOUR_MS, { key: "k", onDuplicate: "keep" }));
    await owner.publish(drafts(1, now + 2 * HOUR_MS, { key: "k", onDuplicate: "replace" }));
    const minute = String(Math.floor((now + HOUR_MS) / 60_000));
    evict((key) => key.endsWith(`:d${minute}`));
    expect(await run(owner)).toEqual({ ran: 0, losses: lost(2) });
    expect(await owner.purge(["delayed"])).toBe(1);
    evict();
    expect(await run(owner)).toEqual({ ran: 0, losses: [] });
    now += 3 * HOUR_MS;
    expect(await run(owner)).toEqual({ ran: 0, losses: [] });
  });

  test("of waits before a retry is told as well", async () => {
    const owner = open();
    await owner.publish([{ method: "m", args: [] }]);
    const [claim] = (await owner.claim({ limit: 1, atOnce: 1 })).claims;
    if (claim === undefined) throw new Error("nothing was claimed");
    await owner.start(claim, { last: false });
    await owner.settle([{ claim, outcome: { kind: "retry", at: now + HOUR_MS, error: "no luck" } }]);
    evict();
    expect(await run(owner)).toEqual({ ran: 0, losses: lost(1) });
  });
});

test("nothing is told of delayed tasks that all ran, though every minute had some and hosts took turns", async () => {
  const hosts = [open("one"), open("two")];
  let ran = 0;
  let kept = 0;
  for (let minute = 0; minute < 30; minute++) {
    for (const owner of hosts) {
      for (const delay of [1_000, 20_000, 65_000, 600_000]) {
        await owner.publish(drafts(3, now + delay));
        kept += 3;
      }
      now += 7_000;
      const outcome = await run(owner);
      expect(outcome.losses).toEqual([]);
      ran += outcome.ran;
    }
    now += 46_000;
  }
  now += HOUR_MS;
  const last = await run(open("three"));
  expect(ran + last.ran).toBe(kept);
  expect(await hosts[0]?.losses()).toEqual([]);
});

test("what a second was given is counted by doublings, and where that finds no memory not at all", async () => {
  const owner = open();
  for (let n = 0; n < 20; n++) await owner.publish(drafts(1, now + HOUR_MS));
  const key = [...server.items.keys()].find((one) => one.endsWith(":n")) ?? "";
  const text = server.text(key) ?? "";
  expect([...readCounts(text).values()]).toEqual([16]);
  expect(text.split(",").filter(Boolean)).toHaveLength(5);
  const [one] = (await owner.list("delayed", { limit: 1 })).tasks;
  server.limitBytes = server.bytes;
  expect(await open("two").cancel(one?.id ?? "")).toBe("cancelled");
  expect(server.text(key)).toBeUndefined();
});
