import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openMemcachedBroker } from "../../../../src/adapters/memcached/broker.ts";
import type { Operation, Wire } from "../../../../src/adapters/memcached/wire.ts";
import type { Broker, Claim, Settled, Settlement } from "../../../../src/ports/broker.ts";
import { plainCodec } from "../../../../src/task/codec.ts";
import { encodeResult } from "../../../../src/task/result.ts";
import { FakeMemcached } from "../../../servers/fake-memcached.ts";

const FOR_MS = 3_600_000;
const RECORD = /:\w{8}:b/; // an epoch may begin with a b
let memory: string;
let server: FakeMemcached;
let nowMs: number;

beforeEach(() => {
  memory = mkdtempSync(join(tmpdir(), "memq-results-"));
  nowMs = Date.now();
  server = new FakeMemcached(() => nowMs);
});
afterEach(() => {
  rmSync(memory, { recursive: true, force: true });
});

const open = (pid = 1, wire: Wire = server.wire()): Broker =>
  openMemcachedBroker({
    wire,
    queue: "q",
    codec: plainCodec(900_000),
    memory,
    holder: { host: "elsewhere", realm: "", pid, startedAt: "1" },
  });

const ending = (claim: Claim, value: unknown, forMs = FOR_MS): Settlement => ({
  claim,
  outcome: { kind: "done" },
  keep: { forMs, text: encodeResult({ attempt: claim.attempt, ms: 1, at: 1 }, value, 900_000) },
});

const answer = async (owner: Broker, claim: Claim, value: unknown): Promise<Settled | undefined> =>
  (await owner.settle([ending(claim, value)]))[0];

async function started(owner: Broker): Promise<Claim> {
  const [claim] = (await owner.claim({ limit: 1, atOnce: 1 })).claims;
  if (claim === undefined) throw new Error("nothing could be claimed");
  expect(await owner.start(claim, { last: false })).toBe("started");
  return claim;
}

async function publishedAndStarted(owner: Broker): Promise<Claim> {
  await owner.publish([{ method: "m", args: [] }]);
  return started(owner);
}

const keyOf = (claim: Claim): string => `mq:q:r${claim.task.id}`;

/** A wire on which what `dies` picks is not sent, nor anything after it: the process has ended. */
function dyingWire(dies: (operation: Operation) => boolean): Wire {
  const wire = server.wire();
  let isDead = false;
  return {
    ...wire,
    batch: (operations) => {
      isDead ||= operations.some(dies);
      return isDead ? new Promise(() => undefined) : wire.batch(operations);
    },
  };
}

describe("on a full server", () => {
  test("a value that has no room is left out, and the result says so", async () => {
    const owner = open();
    const claim = await publishedAndStarted(owner);
    server.limitBytes = server.bytes + 600;
    expect(await answer(owner, claim, "x".repeat(1_000))).toBe("unkept");
    const found = await owner.results.find(claim.task.id);
    expect(found).toMatchObject({ kind: "done", omitted: expect.stringContaining("no room") as string });
  });

  test("a task is settled whose result has no room at all, and the run is told", async () => {
    const owner = open();
    const claim = await publishedAndStarted(owner);
    server.limitBytes = server.bytes;
    expect(await answer(owner, claim, 1)).toBe("unkept");
    expect(await owner.find(claim.task.id)).toBeUndefined();
    expect(await owner.results.find(claim.task.id)).toBeUndefined();
  });
});

describe("what an owner leaves that dies before its task's record is gone", () => {
  test("is no result: the task is run again, and its result takes the place", async () => {
    const victim = open(
      2,
      dyingWire(({ kind, key }) => kind === "delete" && RECORD.test(key)),
    );
    const claim = await publishedAndStarted(victim);
    void victim.settle([ending(claim, "of the dead")]);
    await expect.poll(() => server.items.has(keyOf(claim))).toBe(true);
    const heir = open(3);
    expect(await heir.results.find(claim.task.id)).toBeUndefined();
    nowMs += 60_000; // the heartbeat of the dead has ended
    expect(await answer(heir, await started(heir), "of the living")).toBe("settled");
    expect(await heir.results.find(claim.task.id)).toMatchObject({ value: "of the living", attempt: 2 });
  });
});

describe("an owner that stalled", () => {
  test("takes its result back when it finds the task taken over, and never one of the next owner", async () => {
    const stalled = open(2);
    const claim = await publishedAndStarted(stalled);
    nowMs += 60_000;
    const heir = open(3);
    const again = await started(heir);
    expect(await answer(stalled, claim, "late")).toBe("lost");
    expect(server.items.has(keyOf(claim))).toBe(false);
    expect(await answer(heir, again, "in time")).toBe("settled");
    expect(await answer(stalled, claim, "later still")).toBe("lost");
    expect(await heir.results.find(claim.task.id)).toMatchObject({ value: "in time" });
  });
});

test("a result ends by itself, and one for longer than memcached keeps anything after 30 days", async () => {
  const owner = open();
  const claim = await publishedAndStarted(owner);
  await owner.settle([ending(claim, 1, 400 * 86_400_000)]);
  const { expiresAt = 0 } = server.items.get(keyOf(claim)) ?? {};
  expect(expiresAt - nowMs).toBe(30 * 86_400_000);
});

test("members of a bundle have results of their own", async () => {
  const owner = openMemcachedBroker({
    wire: server.wire(),
    queue: "q",
    codec: plainCodec(900_000),
    memory,
    bundle: 3,
  });
  await owner.publish([1, 2, 3].map((n) => ({ method: "m", args: [n] })));
  const { claims } = await owner.claim({ limit: 3, atOnce: 3 });
  expect(claims).toHaveLength(3);
  for (const claim of claims) await owner.start(claim, { last: false });
  await owner.settle(claims.slice(0, 2).map((claim, at) => ending(claim, at)));
  const found = await Promise.all(claims.map(({ task }) => owner.results.find(task.id)));
  expect(found).toMatchObject([{ value: 0 }, { value: 1 }, undefined]);
});

test("the results of many tasks take two round trips more than none", async () => {
  const trips = async (keeps: boolean): Promise<number> => {
    let count = 0;
    const wire = server.wire();
    const owner = open(1, { ...wire, batch: (operations) => (count++, wire.batch(operations)) });
    await owner.publish(Array.from({ length: 50 }, (_, n) => ({ method: "m", args: [n] })));
    const { claims } = await owner.claim({ limit: 50, atOnce: 50 });
    for (const claim of claims) await owner.start(claim, { last: false });
    const before = count;
    await owner.settle(
      claims.map((claim) => (keeps ? ending(claim, 1) : { claim, outcome: { kind: "done" } })),
    );
    await owner.close();
    return count - before;
  };
  expect((await trips(true)) - (await trips(false))).toBeLessThanOrEqual(2);
});
