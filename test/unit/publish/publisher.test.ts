import { describe, expect, test } from "vitest";
import { MemqError } from "../../../src/errors.ts";
import { MAX_BATCH, type Broker } from "../../../src/ports/broker.ts";
import { publishAll } from "../../../src/publish/bulk.ts";
import { makePublisher, type BulkItem, type Publisher } from "../../../src/publish/publisher.ts";
import { plainCodec } from "../../../src/task/codec.ts";
import type { Draft } from "../../../src/task/task.ts";
import { memoryBroker, virtualClock } from "../../../src/testing.ts";

const clock = virtualClock();
const codec = plainCodec(1_000);

function scene(): { broker: Broker; publisher: Publisher } {
  const broker = memoryBroker({ clock, maxTaskBytes: 1_000 });
  return { broker, publisher: makePublisher({ broker, codec, clock }) };
}

/** A broker that only publishes, and how. */
const brokerThat = (publish: (drafts: readonly Draft[]) => Promise<unknown>): Broker =>
  ({ ...noPowers, publish }) as unknown as Broker;
const noPowers = { queue: "q", capabilities: { durability: "memory", delay: true, keys: true, list: true } };
const codeOf = (error: unknown): unknown => (error as MemqError).code;

describe("one call", () => {
  test("is kept under the id that is answered", async () => {
    const { broker, publisher } = scene();
    const id = await publisher.publish(
      { method: "push", args: ["中文"] },
      { key: "k", retries: 2, timeout: "1m" },
    );
    expect(await broker.find(id)).toMatchObject({
      state: "waiting",
      task: { id, method: "push", args: ["中文"], key: "k", retries: 2, timeoutMs: 60_000 },
    });
  });

  test("what an argument answers is asked for once to check it, and once to keep it", async () => {
    const { broker, publisher } = scene();
    let reads = 0;
    const counting = {
      get x() {
        return ++reads;
      },
    };
    const id = await publisher.publish({ method: "push", args: [counting] });
    expect((await broker.find(id))?.task?.args).toEqual([{ x: 2 }]);
    expect(reads).toBe(2);
  });

  test("with the key of an unfinished task answers with that one's id", async () => {
    const { broker, publisher } = scene();
    const first = await publisher.publish({ method: "push", args: [1] }, { key: "k" });
    expect(await publisher.publish({ method: "push", args: [2] }, { key: "k" })).toBe(first);
    expect(await broker.depth()).toMatchObject({ waiting: 1 });
  });

  test("with the key of an unfinished task is refused when that is asked for", async () => {
    const { publisher } = scene();
    const first = await publisher.publish({ method: "push", args: [1] }, { key: "k" });
    const second = publisher.publish({ method: "push", args: [2] }, { key: "k", onDuplicate: "error" });
    await expect(second).rejects.toMatchObject({ code: "DUPLICATE" });
    await expect(second).rejects.toThrow(`task ${first} has the key "k", is waiting and is not finished`);
  });

  test("takes the place of a waiting task, not of a running one", async () => {
    const { broker, publisher } = scene();
    const replace = { key: "k", onDuplicate: "replace" } as const;
    const first = await publisher.publish({ method: "push", args: [1] }, replace);
    const second = await publisher.publish({ method: "push", args: [2] }, replace);
    expect(second).not.toBe(first);
    expect(await broker.find(first)).toBeUndefined();
    await broker.claim({ limit: 1, atOnce: 1 });
    await expect(publisher.publish({ method: "push", args: [3] }, replace)).rejects.toMatchObject({
      code: "DUPLICATE",
    });
  });

  test("that is too large never reaches the broker", async () => {
    const publisher = makePublisher({
      broker: brokerThat(() => Promise.reject(new Error("reached"))),
      codec,
      clock,
    });
    const large = publisher.publish({ method: "push", args: ["x".repeat(1_000)] });
    await expect(large).rejects.toMatchObject({ code: "TASK_TOO_LARGE" });
  });

  test("that the broker gives no answer to is no success", async () => {
    const publisher = makePublisher({ broker: brokerThat(() => Promise.resolve([])), codec, clock });
    await expect(publisher.publish({ method: "push", args: [] })).rejects.toMatchObject({ code: "BUG" });
  });
});

describe("a batch", () => {
  const bad: BulkItem[] = [
    { method: "constructor" },
    { method: "push", args: [undefined as unknown as string] },
    { method: "push", args: "text" as unknown as [] },
    { method: "push", args: ["x".repeat(2_000)] },
    { method: "push", delay: "soon" },
    { method: "push", key: "" },
    undefined as unknown as BulkItem,
    { method: undefined as unknown as string },
  ];

  test("has one outcome per item, in their order; bad items harm no other", async () => {
    const { broker, publisher } = scene();
    const items = bad.flatMap((item, index) => [{ method: "push", args: [index] }, item]);
    const outcomes = await publisher.publishBatch([...items, { method: "push", args: ["last"] }]);
    expect(outcomes.map(({ kind }) => kind)).toEqual([...bad.flatMap(() => ["kept", "refused"]), "kept"]);
    const { tasks } = await broker.list("waiting", { limit: 100 });
    expect(tasks.map(({ task }) => task?.args[0])).toEqual([...bad.keys(), "last"]);
    expect(tasks.map(({ id }) => id)).toEqual(
      outcomes.flatMap((one) => (one.kind === "kept" ? [one.id] : [])),
    );
  });

  test("says of each refused item why", async () => {
    const outcomes = await scene().publisher.publishBatch(bad.slice(0, 6));
    expect(outcomes.map((one) => one.kind === "refused" && one.code)).toEqual([
      "CALL_INVALID",
      "ARGS_INVALID",
      "ARGS_INVALID",
      "TASK_TOO_LARGE",
      "ARGS_INVALID",
      "ARGS_INVALID",
    ]);
  });

  test("of bad items only does not ask the broker", async () => {
    const publisher = makePublisher({
      broker: brokerThat(() => Promise.reject(new Error("reached"))),
      codec,
      clock,
    });
    expect((await publisher.publishBatch(bad)).map(({ kind }) => kind)).toEqual(bad.map(() => "refused"));
    expect(await publisher.publishBatch([])).toEqual([]);
  });

  test("meets keys item by item, within itself too", async () => {
    const { publisher } = scene();
    const [first, second, third] = await publisher.publishBatch([
      { method: "push", key: "k" },
      { method: "push", key: "k" },
      { method: "push", key: "k", onDuplicate: "error" },
    ]);
    if (first?.kind !== "kept") throw new Error("the first was not kept");
    expect(second).toEqual({ kind: "duplicate", of: first.id });
    expect(third).toMatchObject({ kind: "refused", code: "DUPLICATE" });
  });

  test("takes an item's wishes before those of all", async () => {
    const { broker, publisher } = scene();
    const items = [{ method: "push" }, { method: "push", retries: 1, at: clock.now() + 5_000 }];
    const outcomes = await publisher.publishBatch(items, { retries: 7, delay: "1h" });
    const records = await Promise.all(outcomes.map((one) => broker.find(one.kind === "kept" ? one.id : "")));
    expect(records).toMatchObject([
      { at: clock.now() + 3_600_000, task: { retries: 7 } },
      { at: clock.now() + 5_000, task: { retries: 1 } },
    ]);
  });

  test("whose answers are too few leaves no item without an outcome", async () => {
    const broker = brokerThat(() => Promise.resolve([{ kind: "kept", id: "1" }]));
    const outcomes = await makePublisher({ broker, codec, clock }).publishBatch([
      { method: "a" },
      { method: "b" },
    ]);
    expect(outcomes).toMatchObject([
      { kind: "kept", id: "1" },
      { kind: "refused", code: "BUG" },
    ]);
  });

  test("rejects when the broker fails", async () => {
    const broken = new MemqError("BROKER_UNREACHABLE", "gone");
    const publisher = makePublisher({ broker: brokerThat(() => Promise.reject(broken)), codec, clock });
    await expect(publisher.publishBatch([{ method: "a" }])).rejects.toBe(broken);
  });

  test("has at most MAX_BATCH items", async () => {
    const items = Array.from({ length: MAX_BATCH + 1 }, () => ({ method: "a" }));
    await expect(scene().publisher.publishBatch(items)).rejects.toMatchObject({ code: "BUG" });
  });
});

describe("a bulk", () => {
  const COUNT = 2 * MAX_BATCH + 7;
  const item = (index: number): BulkItem => ({ method: index % 100 === 3 ? "_bad" : "push", args: [index] });

  function* counted(): Generator<BulkItem> {
    for (let index = 0; index < COUNT; index++) yield item(index);
  }
  async function* countedSlowly(): AsyncGenerator<BulkItem> {
    for (const one of counted()) {
      if (one.args?.[0] === 500) await new Promise(setImmediate);
      yield one;
    }
  }

  test.each([
    ["an array", () => [...counted()]],
    ["a set", () => new Set(counted())],
    ["a generator", counted],
    ["an async generator", countedSlowly],
  ])("of %s is published in batches of at most MAX_BATCH, in order", async (_name, source) => {
    const sizes: number[] = [];
    const broker = brokerThat((drafts) => {
      sizes.push(drafts.length);
      return Promise.resolve(drafts.map(({ args }) => ({ kind: "kept", id: JSON.stringify(args[0]) })));
    });
    const report = await publishAll(makePublisher({ broker, codec, clock }), source(), { options: {} });
    expect(sizes).toEqual([990, 990, 7 - 1]);
    expect(report).toMatchObject({ kept: 1_986, duplicate: 0, refused: 21 });
    expect(report.outcomes).toHaveLength(COUNT);
    for (const [index, outcome] of report.outcomes.entries()) {
      expect(outcome).toMatchObject(
        index % 100 === 3 ? { kind: "refused" } : { kind: "kept", id: String(index) },
      );
    }
  });

  test("tells each outcome instead of collecting it, and waits for who is told", async () => {
    const told: [number, string][] = [];
    let telling = 0;
    const report = await publishAll(scene().publisher, counted(), {
      options: {},
      onOutcome: async ({ kind }, index) => {
        expect(telling++).toBe(0);
        if (index % 500 === 0) await new Promise(setImmediate);
        telling--;
        told.push([index, kind]);
      },
    });
    expect(report).toEqual({ outcomes: [], kept: 1_986, duplicate: 0, refused: 21 });
    expect(told.map(([index]) => index)).toEqual([...Array(COUNT).keys()]);
    expect(told[3]).toEqual([3, "refused"]);
  });

  test("of large items is published in smaller batches", async () => {
    const sizes: number[] = [];
    const broker = brokerThat((drafts) => {
      sizes.push(drafts.length);
      return Promise.resolve(drafts.map(() => ({ kind: "kept", id: "1" })));
    });
    const item = { method: "push", args: ["x".repeat(999_000)] };
    const large = plainCodec(1_000_000);
    await publishAll(makePublisher({ broker, codec: large, clock }), Array(9).fill(item) as BulkItem[], {
      options: {},
    });
    expect(sizes).toEqual([5, 4]);
  });

  test("of nothing publishes nothing", async () => {
    const publisher = makePublisher({
      broker: brokerThat(() => Promise.reject(new Error("reached"))),
      codec,
      clock,
    });
    expect(await publishAll(publisher, [], { options: {} })).toEqual({
      outcomes: [],
      kept: 0,
      duplicate: 0,
      refused: 0,
    });
  });

  test("reads no further than the batch that is being kept", async () => {
    let read = 0;
    function* source(): Generator<BulkItem> {
      for (; read < COUNT; read++) yield { method: "push" };
    }
    const readAtPublish: number[] = [];
    const broker = brokerThat((drafts) => {
      readAtPublish.push(read);
      return Promise.resolve(drafts.map(() => ({ kind: "kept", id: "1" })));
    });
    await publishAll(makePublisher({ broker, codec, clock }), source(), { options: {} });
    expect(readAtPublish).toEqual([MAX_BATCH - 1, 2 * MAX_BATCH - 1, COUNT]);
  });

  test("that fails half way says how many items were answered", async () => {
    let batches = 0;
    const broker = brokerThat((drafts) =>
      ++batches === 3
        ? Promise.reject(new MemqError("BROKER_UNREACHABLE", "gone"))
        : Promise.resolve(drafts.map(() => ({ kind: "kept", id: "1" }))),
    );
    const error: unknown = await publishAll(makePublisher({ broker, codec, clock }), counted(), {
      options: {},
    }).catch((thrown: unknown) => thrown);
    expect(codeOf(error)).toBe("BROKER_UNREACHABLE");
    expect((error as Error).message).toBe("gone (the first 2000 items were answered before)");
  });

  test("whose source fails ends with the source's error", async () => {
    const broken = new Error("the file is gone");
    function* source(): Generator<BulkItem> {
      yield { method: "push" };
      throw broken;
    }
    await expect(publishAll(scene().publisher, source(), { options: {} })).rejects.toBe(broken);
  });
});
