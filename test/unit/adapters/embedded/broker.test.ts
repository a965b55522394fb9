import { mkdirSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { LEASE_MS, MAX_BATCH, type Broker } from "../../../../src/ports/broker.ts";
import type { Codec } from "../../../../src/task/codec.ts";
import { EmbeddedQueue } from "../../../contract/embedded.harness.ts";
import {
  buryNext,
  drain,
  finish,
  idleOf,
  keep,
  keepOne,
  named,
  names,
  series,
  start,
  take,
  takeCount,
  takeOne,
  testCodec,
} from "../../../contract/facts/ground.ts";

let queue: EmbeddedQueue;
let owner: Broker;

beforeEach(async () => {
  queue = new EmbeddedQueue();
  owner = await queue.open();
});

afterEach(() => queue.tearDown());

/** A task that its first owner had started when it died, with others behind it. */
async function leaveSuspect(...others: string[]): Promise<void> {
  await keep(owner, named("suspect"), ...others.map((name) => named(name)));
  await start(owner, await takeOne(owner));
  await queue.kill(owner);
}

describe("a suspect", () => {
  test("is not handed to an owner that holds something, which gets other tasks meanwhile", async () => {
    await leaveSuspect("b", "c");
    const other = await queue.open();
    const suspect = await takeOne(other);
    await other.release([suspect]);
    const third = await queue.open();
    expect(await takeOne(third)).toMatchObject({ alone: true });
    const [b] = await take(other, 1);
    expect(b?.task.args).toEqual(["b"]);
    await third.release([]);
    await third.close(); // hands the suspect back while `other` holds b
    expect(names(await take(other, 5))).toEqual(["c"]);
    expect(await idleOf(other)).toEqual({ kind: "held", count: 1 });
  });

  test("is the only thing its owner gets until it is settled", async () => {
    await leaveSuspect("b");
    const other = await queue.open();
    const suspect = await takeOne(other);
    expect(suspect).toMatchObject({ alone: true, attempt: 2 });
    expect(await idleOf(other)).toEqual({ kind: "empty" });
    await finish(other, suspect);
    expect(names(await take(other))).toEqual(["b"]);
  });

  test("does not wait for ever for a busy owner to hold nothing", async () => {
    await leaveSuspect("b", "c", "d");
    const careful = await queue.open();
    const suspect = await takeOne(careful);
    const busy = await queue.open();
    const held = [...(await take(busy, 1))];
    await careful.release([suspect]);
    held.push(...(await take(busy, 1)));
    expect(names(held)).toEqual(["b", "c"]);
    await queue.advance(LEASE_MS);
    await busy.renew();
    expect(await idleOf(busy)).toEqual({ kind: "held", count: 1 });
    // To its deadline: there is nothing for it before it has emptied its hands.
    await busy.wait(queue.now() + 200, new AbortController().signal);
    expect(await idleOf(busy)).toEqual({ kind: "held", count: 1 });
    await busy.settle(held.map((claim) => ({ claim, outcome: { kind: "done" } })));
    expect(await drain(busy)).toMatchObject([
      { name: "suspect", alone: true },
      { name: "d", alone: false },
    ]);
  });
});

describe("starting", () => {
  /** What the database alone says of a task. */
  const onRecord = async (id: string): Promise<unknown> => {
    const [flights, away] = [join(queue.folder, "flights"), join(queue.folder, "flights.away")];
    renameSync(flights, away);
    try {
      return await owner.find(id);
    } finally {
      renameSync(away, flights);
    }
  };

  test("is on record at once only when no attempt is left or the task is alone", async () => {
    const [id = ""] = await keep(owner, named("a"));
    const claim = await takeOne(owner);
    expect(owner.start(claim, { last: false })).toBe("started");
    expect(owner.start(claim, { last: false })).toBe("started");
    expect(await onRecord(id)).toMatchObject({ attempts: 0 });
    await owner.release([claim]);
    const again = await takeOne(owner);
    expect(await owner.start(again, { last: true })).toBe("started");
    expect(await onRecord(id)).toMatchObject({ attempts: 1 });
    await owner.release([again]);
    expect(await owner.find(id)).toMatchObject({ state: "waiting", attempts: 0 });
  });

  test("is noted in the database where the journal cannot be written", async () => {
    const [id = ""] = await keep(owner, named("a"));
    rmSync(join(queue.folder, "flights"), { recursive: true });
    writeFileSync(join(queue.folder, "flights"), "");
    const claim = await takeOne(owner);
    expect(await owner.start(claim, { last: false })).toBe("started");
    expect(await owner.find(id)).toMatchObject({ state: "running", attempts: 1 });
    rmSync(join(queue.folder, "flights"));
    mkdirSync(join(queue.folder, "flights"));
    await queue.kill(owner);
    expect(await takeOne(await queue.open())).toMatchObject({ attempt: 2, alone: true });
  });

  test("asks the store whose the task is once the lease has ended by the owner's own clock", async () => {
    await keep(owner, named("a"), named("b"));
    const [a, b] = await takeCount(owner, 2);
    if (!a || !b) throw new Error("two were claimed");
    await queue.advance(LEASE_MS + 1);
    expect(await owner.start(a, { last: false })).toBe("started");
    await queue.advance(LEASE_MS + 1);
    await take(await queue.open());
    expect(await owner.start(b, { last: false })).toBe("lost");
    expect(await owner.settle([{ claim: a, outcome: { kind: "done" } }])).toEqual(["lost"]);
  });

  test("more tasks than one claim gives are told apart when their owner dies", async () => {
    const count = MAX_BATCH + 200;
    await keep(owner, ...series("a", MAX_BATCH).map((name) => named(name)));
    await keep(owner, ...series("b", 200).map((name) => named(name)));
    const claims = await takeCount(owner, count);
    for (const [index, claim] of claims.entries()) if (index % 2 === 0) await start(owner, claim);
    const done = claims.filter((_, index) => index % 4 === 0);
    await owner.settle(done.map((claim) => ({ claim, outcome: { kind: "done" } })));
    await queue.kill(owner);
    const other = await queue.open();
    const [prefix = ""] = (claims[0]?.task.id ?? "").split("-");
    expect(await other.cancel(`${prefix}-999999`)).toBe("absent"); // takes over without claiming
    const charged = queue.sql("SELECT count(*) AS count FROM task WHERE attempts = 1 AND suspect = 1");
    const uncharged = queue.sql("SELECT count(*) AS count FROM task WHERE attempts = 0 AND suspect = 0");
    expect([charged, uncharged]).toEqual([[{ count: 300 }], [{ count: 600 }]]);
    expect(readdirSync(join(queue.folder, "flights"))).toEqual([]);
  });
});

test("as many tasks as it says are published in one go, and no more", async () => {
  const limit = owner.capabilities.publishLimit ?? 0;
  const drafts = series("t", limit).map((name) => named(name));
  expect(limit).toBeGreaterThan(MAX_BATCH);
  expect(await keep(owner, ...drafts)).toHaveLength(limit);
  expect(await owner.depth()).toMatchObject({ waiting: limit });
  await expect(owner.publish([...drafts, named("one more")])).rejects.toMatchObject({ code: "BUG" });
});

describe("ids", () => {
  test("of another store name nothing in this one", async () => {
    const other = new EmbeddedQueue();
    try {
      const [id = ""] = await keep(owner, named("a"));
      const foreign = await keepOne(await other.open(), named("a"));
      expect(id.split("-")[1]).toBe(foreign.split("-")[1]);
      expect(await owner.find(foreign)).toBeUndefined();
      expect(await owner.cancel(foreign)).toBe("absent");
      expect(await owner.find(id)).toBeDefined();
    } finally {
      await other.tearDown();
    }
  });

  test("are not used again when their task is gone", async () => {
    const first = await keepOne(owner, named("a"));
    await finish(owner, await takeOne(owner));
    expect(await keepOne(owner, named("b"))).not.toBe(first);
  });
});

describe("what is in the way", () => {
  const openedBy = (broken: (text: string) => boolean, kind: "broken" | "newer"): Codec => ({
    ...testCodec,
    open: (id, bornAt, text) => {
      if (!broken(text)) return testCodec.open(id, bornAt, text);
      return kind === "newer" ? { kind } : { kind, reason: "not for us" };
    },
  });

  test("is looked past however much it is, and told once per owner", async () => {
    await keep(owner, ...series("odd", 900).map((name) => named(name)), named("good"));
    const older = await queue.open({ codec: openedBy((text) => text.includes("odd"), "newer") });
    const { claims, findings } = await older.claim({ limit: 1, atOnce: 1 });
    expect(names(claims)).toEqual(["good"]);
    expect(findings).toHaveLength(900);
    expect(await older.claim({ limit: 1, atOnce: 1 })).toEqual({
      claims: [],
      findings: [],
      idle: { kind: "empty" },
    });
    expect(await older.depth()).toMatchObject({ waiting: 900 });
    await older.wait(queue.now() + 50, new AbortController().signal);
    expect(names(await take(owner, 2))).toEqual(["odd0", "odd1"]);
  });

  test("is buried without holding anybody up, due or not", async () => {
    await keep(owner, ...series("odd", 300).map((name) => named(name)), named("good"));
    const dueAt = queue.now() + 1_000;
    await keep(owner, named("odd later", { dueAt }), named("good later", { dueAt }));
    await queue.advance(2_000);
    const picky = await queue.open({ codec: openedBy((text) => text.includes("odd"), "broken") });
    expect((await drain(picky)).map(({ name }) => name)).toEqual(["good", "good later"]);
    expect(await picky.depth()).toMatchObject({ waiting: 0, delayed: 0, dead: 301 });
  });
});

test("a claim of very large tasks gives a few at a time", async () => {
  for (let batch = 0; batch < 4; batch++) {
    await keep(owner, ...series("x".repeat(200_000), 40).map((name) => named(name)));
  }
  const { claims } = await owner.claim({ limit: MAX_BATCH, atOnce: 1 });
  expect(claims.length).toBeGreaterThan(0);
  expect(claims.length).toBeLessThan(100);
});

test("what fell due late waits for the large tasks that came before it", async () => {
  await keepOne(owner, named("late", { dueAt: queue.now() + 3_600_000 }));
  for (let batch = 0; batch < 4; batch++) {
    await keep(owner, ...series("x".repeat(200_000), 40).map((name) => named(name)));
  }
  await queue.advance(2 * 3_600_000);
  const { claims } = await owner.claim({ limit: MAX_BATCH, atOnce: 1 });
  expect(claims.length).toBeLessThan(160);
  expect(names(claims)).not.toContain("late");
});

test("the disk gets back what a drained queue took", async () => {
  for (let batch = 0; batch < 20; batch++) {
    await keep(owner, ...series("t", MAX_BATCH).map((name) => named(name + "x".repeat(100))));
  }
  const size = (): number => statSync(join(queue.folder, "store.db")).size;
  queue.sql("PRAGMA wal_checkpoint(TRUNCATE)");
  expect(size()).toBeGreaterThan(3_000_000);
  await drain(owner);
  await queue.closeStoreOf(owner);
  expect(size()).toBeLessThan(1_000_000);
});

test("purging gives the disk back as well", async () => {
  for (let batch = 0; batch < 12; batch++) {
    await keep(owner, ...series("t", MAX_BATCH).map((name) => named(name + "x".repeat(100))));
  }
  expect(await owner.purge(["waiting"])).toBe(12 * MAX_BATCH);
  await queue.closeStoreOf(owner);
  expect(statSync(join(queue.folder, "store.db")).size).toBeLessThan(1_000_000);
});

test("several queues share a store and keep apart", async () => {
  const others = await queue.openQueues("mail", "push", "mail:urgent.de");
  for (const broker of others) await keepOne(broker, named(broker.queue, { key: "same" }));
  for (const broker of others) {
    expect(await broker.findKey("same")).toMatchObject({ task: { args: [broker.queue] } });
    expect((await drain(broker)).map(({ name }) => name)).toEqual([broker.queue]);
  }
  expect(await owner.depth()).toEqual({ waiting: 0, delayed: 0, running: 0, dead: 0 });
});

test("a closed owner refuses to work, and closing twice is no error", async () => {
  await keepOne(owner, named("a"));
  await owner.close();
  await owner.close();
  await expect(owner.publish([named("b")])).rejects.toMatchObject({ code: "BUG" });
  await expect(owner.claim({ limit: 1, atOnce: 1 })).rejects.toMatchObject({ code: "BUG" });
});

test("a wait leaves no watcher behind", async () => {
  const watchers = (): number => process.getActiveResourcesInfo().filter((kind) => kind === "FSEvent").length;
  const before = watchers();
  await keepOne(owner, named("a"));
  await takeOne(owner);
  const stop = new AbortController();
  const waits = [owner.wait(queue.now() + 60_000, stop.signal), owner.wait(queue.now() + 20, stop.signal)];
  await waits[1];
  stop.abort();
  await waits[0];
  expect(watchers()).toBe(before);
});

test("a place in a list that no page gave is refused", async () => {
  await buryNextOf(owner);
  await expect(owner.list("dead", { limit: 1, after: "1 OR 1=1" })).rejects.toMatchObject({ code: "USAGE" });
});

async function buryNextOf(broker: Broker): Promise<void> {
  await keepOne(broker, named("a"));
  await buryNext(broker);
}

test("after the clock was set back all dead letters are put back, and a purge leaves nothing", async () => {
  await keep(owner, named("dead"), named("waiting"));
  await buryNext(owner);
  await queue.advance(-3_600_000);
  expect(await owner.putBack("all")).toBe(1);
  await buryNext(owner);
  await queue.advance(-3_600_000);
  expect(await owner.purge(["dead", "waiting"])).toBe(2);
  expect(await owner.depth()).toMatchObject({ waiting: 0, dead: 0 });
});
