import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openMemcachedBroker } from "../../../../src/adapters/memcached/broker.ts";
import type { Wire } from "../../../../src/adapters/memcached/wire.ts";
import type { Broker, Claim, Published } from "../../../../src/ports/broker.ts";
import type { Draft } from "../../../../src/task/task.ts";
import type { Outcome } from "../../../../src/task/outcome.ts";
import { plainCodec } from "../../../../src/task/codec.ts";
import { FakeMemcached } from "../../../servers/fake-memcached.ts";

test("a task is cancelled out of a bundle only when there is memory for the others", async () => {
  const memory = mkdtempSync(join(tmpdir(), "memq-full-"));
  const server = new FakeMemcached(Date.now);
  const codec = plainCodec(900_000);
  const broker = openMemcachedBroker({ wire: server.wire(), queue: "q", codec, memory, bundle: 3 });
  try {
    const kept = await broker.publish([1, 2, 3].map((n) => ({ method: "m", args: [n] })));
    const id = kept[1]?.kind === "kept" ? kept[1].id : "";
    server.limitBytes = server.bytes;
    await expect(broker.cancel(id)).rejects.toMatchObject({ code: "QUEUE_FULL" });
    expect(await broker.depth()).toMatchObject({ waiting: 3 });
    server.limitBytes = Infinity;
    expect(await broker.cancel(id)).toBe("cancelled");
    expect(await broker.depth()).toMatchObject({ waiting: 2 });
  } finally {
    rmSync(memory, { recursive: true, force: true });
  }
});

test("a claim for which only the reserve has room is given out, in a few round trips", async () => {
  const memory = mkdtempSync(join(tmpdir(), "memq-full-"));
  const server = new FakeMemcached(Date.now);
  const openOn = (wire: Wire): Broker =>
    openMemcachedBroker({ wire, queue: "q", codec: plainCodec(900_000), memory });
  try {
    await openOn(server.wire()).publish([{ method: "m", args: [1] }]);
    server.limitBytes = server.bytes;
    let trips = 0;
    const wire = server.wire();
    const counted: Wire = {
      ...wire,
      batch: (operations) => {
        trips++;
        return wire.batch(operations);
      },
    };
    const { claims } = await openOn(counted).claim({ limit: 1, atOnce: 1 });
    expect(claims).toHaveLength(1);
    expect(trips).toBeLessThan(20);
  } finally {
    rmSync(memory, { recursive: true, force: true });
  }
});

describe("an outcome for which a full server has no memory", () => {
  let memory: string;
  let server: FakeMemcached;
  const now = Date.now();
  const later: Outcome = { kind: "retry", at: now + 60_000, error: "no luck ".repeat(40) };
  const done: Outcome = { kind: "done" };

  beforeEach(() => {
    memory = mkdtempSync(join(tmpdir(), "memq-full-"));
    server = new FakeMemcached(Date.now);
  });
  afterEach(() => {
    rmSync(memory, { recursive: true, force: true });
  });

  const open = (bundle = 1): Broker =>
    openMemcachedBroker({
      wire: server.wire(),
      queue: "q",
      codec: plainCodec(900_000),
      memory,
      bundle,
      holder: { host: "elsewhere", realm: "", pid: 1, startedAt: "1" },
    });

  /** Tasks of a server that is full to the last byte. */
  async function crowd(count: number, bundle = 1): Promise<void> {
    const args = (n: number): string => `${String(n)} ${"x".repeat(400)}`;
    await open(bundle).publish(Array.from({ length: count }, (_, n) => ({ method: "m", args: [args(n)] })));
    server.limitBytes = server.bytes;
  }

  const nameOf = ({ task }: Claim): string => (task.args[0] as string).split(" ")[0] ?? "";

  async function settle(owner: Broker, claims: readonly Claim[], outcome: Outcome): Promise<void> {
    for (const claim of claims) {
      expect(await owner.start(claim, { last: false })).toBe("started");
      expect(await owner.settle([{ claim, outcome }])).toEqual(["settled"]);
    }
  }

  async function take(owner: Broker, limit = 10): Promise<readonly Claim[]> {
    return (await owner.claim({ limit, atOnce: 1 })).claims;
  }

  test("holds up nobody, and is written down when others have made room", async () => {
    await crowd(4);
    const owner = open();
    const [head, ...others] = await take(owner);
    if (!head) throw new Error("all were claimed");
    await settle(owner, [head], later);
    await settle(owner, others, done);
    expect(await owner.depth()).toMatchObject({ waiting: 0, running: 0, delayed: 1 });
    const [record] = (await owner.list("delayed", { limit: 9 })).tasks;
    expect(record).toMatchObject({ attempts: 1, error: later.error });
  });

  test("loses the words of its error before it has to wait", async () => {
    await crowd(1);
    server.limitBytes = server.bytes + 700; // the record once more, without them
    const owner = open();
    await settle(owner, await take(owner), later);
    expect(await owner.depth()).toMatchObject({ delayed: 1 });
  });

  test("of a dead letter is written down as well", async () => {
    await crowd(3);
    const owner = open();
    const [head, ...others] = await take(owner);
    if (!head) throw new Error("all were claimed");
    await settle(owner, [head], { kind: "dead", reason: "enough" });
    await settle(owner, others, done);
    expect(await owner.depth()).toMatchObject({ waiting: 0, running: 0, dead: 1 });
  });

  test("is a charged attempt for the next owner when its own has gone", async () => {
    await crowd(1);
    const owner = open();
    await settle(owner, await take(owner), later);
    await owner.close();
    const next = open();
    const claims = await take(next);
    expect(claims).toMatchObject([{ attempt: 2 }]);
    server.limitBytes = Infinity;
    await settle(next, claims, done);
    expect(await next.depth()).toMatchObject({ waiting: 0, running: 0, delayed: 0, dead: 0 });
  });

  test("in a bundle is not started again by the next owner when it was done", async () => {
    await crowd(3, 3);
    const owner = open();
    const [first] = await take(owner, 1);
    if (!first) throw new Error("nothing was claimed");
    await settle(owner, [first], done);
    await owner.close();
    const next = open();
    expect(await next.depth()).toMatchObject({ waiting: 2, running: 0 });
    expect(await next.cancel(first.task.id)).toBe("absent");
    const left = await take(next);
    expect(left.map(nameOf)).toEqual(["1", "2"]);
    await settle(next, left, done);
    expect(await next.depth()).toMatchObject({ waiting: 0, running: 0 });
  });

  test("in a bundle is not started again after its owner was gone without a word", async () => {
    await crowd(3, 3);
    const owner = open();
    const [first] = await take(owner, 1);
    if (!first) throw new Error("nothing was claimed");
    await settle(owner, [first], done);
    for (const key of [...server.items.keys()].filter((one) => one.startsWith("mq:q:o"))) server.evict(key);
    const next = open();
    const seen: string[] = [];
    for (let claims = await take(next); claims.length > 0; claims = await take(next)) {
      seen.push(...claims.map(nameOf));
      await settle(next, claims, done);
    }
    expect(seen).toEqual(["1", "2"]);
  });

  test("in a bundle holds up none of its neighbours", async () => {
    await crowd(3, 3);
    const owner = open();
    const [head, ...others] = await take(owner);
    if (!head) throw new Error("all were claimed");
    await settle(owner, [head], later);
    expect(others.map(nameOf)).toEqual(["1", "2"]);
    await settle(owner, others.slice(0, 1), done);
    server.limitBytes = Infinity;
    await settle(owner, others.slice(1), done);
    expect(await owner.depth()).toMatchObject({ waiting: 0, running: 0, delayed: 1 });
  });
});

describe("of a key, what a full server refuses does not stand", () => {
  let memory: string;
  let server: FakeMemcached;

  beforeEach(() => {
    memory = mkdtempSync(join(tmpdir(), "memq-full-"));
    server = new FakeMemcached(Date.now);
  });
  afterEach(() => {
    rmSync(memory, { recursive: true, force: true });
  });

  const openOn = (wire: Wire): Broker =>
    openMemcachedBroker({ wire, queue: "q", codec: plainCodec(900_000), memory, bundle: 1 });

  /** A server that gets full before the nth append to a list of waiting tasks. */
  function fullAt(nth: number): Wire {
    const wire = server.wire();
    let appends = 0;
    return {
      ...wire,
      batch: (operations) => {
        const isAppend = operations.some(({ kind, key }) => kind === "append" && /^mq:q:\w+:l/.test(key));
        if (isAppend && ++appends === nth) server.limitBytes = server.bytes;
        return wire.batch(operations);
      },
    };
  }

  const keyed = (n: number, onDuplicate: "keep" | "replace"): Draft => ({
    method: "m",
    args: [n],
    key: "k",
    onDuplicate,
  });

  async function rest(): Promise<readonly unknown[]> {
    server.limitBytes = Infinity;
    const { claims } = await openOn(server.wire()).claim({ limit: 10, atOnce: 1 });
    return claims.map(({ task }) => task.args[0]);
  }

  test("a new task whose name finds no memory leaves its key free", async () => {
    await openOn(server.wire()).publish([{ method: "m", args: [0] }]);
    const refused = await openOn(fullAt(1)).publish([keyed(1, "keep")]);
    expect(refused).toMatchObject([{ kind: "refused", code: "QUEUE_FULL" }]);
    expect(await rest()).toEqual([0]);
    expect(await openOn(server.wire()).publish([keyed(2, "keep")])).toMatchObject([{ kind: "kept" }]);
  });

  test("a task that was to be replaced stays when there is no memory for a name", async () => {
    await openOn(server.wire()).publish([keyed(0, "keep")]);
    const refused = await openOn(fullAt(1)).publish([keyed(1, "replace")]);
    expect(refused).toMatchObject([{ kind: "refused", code: "QUEUE_FULL" }]);
    expect(await rest()).toEqual([0]);
  });

  test("a task that has taken another's place is kept, and runs, when memory ends before it is listed", async () => {
    const [first] = await openOn(server.wire()).publish([keyed(0, "keep")]);
    const kept = await openOn(fullAt(2)).publish([keyed(1, "replace")]);
    expect(kept).toMatchObject([{ kind: "kept", replaced: first?.kind === "kept" ? first.id : "" }]);
    expect(await rest()).toEqual([1]);
  });

  test("a task that somebody else was told of stands, whatever memory its publisher finds", async () => {
    const wire = server.wire();
    const other = openOn(server.wire());
    let met: readonly Published[] = [];
    const slow: Wire = {
      ...wire,
      batch: async (operations) => {
        if (operations.some(({ kind, key }) => kind === "append" && /^mq:q:\w+:l/.test(key))) {
          met = await other.publish([keyed(2, "keep")]);
          server.limitBytes = server.bytes;
        }
        return wire.batch(operations);
      },
    };
    const [kept] = await openOn(slow).publish([keyed(1, "keep")]);
    expect(kept).toMatchObject({ kind: "kept" });
    expect(met).toMatchObject([{ kind: "duplicate", of: kept?.kind === "kept" ? kept.id : "" }]);
    expect(await rest()).toEqual([1]);
  });
});
