import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { rangesOf, without } from "../../../../src/adapters/embedded/row-range.ts";
import type { Broker } from "../../../../src/ports/broker.ts";
import { EmbeddedQueue } from "../../../contract/embedded.harness.ts";
import {
  drain,
  finish,
  keep,
  named,
  names,
  series,
  start,
  take,
  takeCount,
} from "../../../contract/facts/ground.ts";

const rowsIn = (ranges: readonly { first: number; last: number }[]): number[] =>
  ranges.flatMap(({ first, last }) => Array.from({ length: last - first + 1 }, (_, nth) => first + nth));

describe("ranges of rows", () => {
  test("hold the rows they were made of, in order, neighbours together", () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.integer({ min: 1, max: 60 })), (rows) => {
        expect(rowsIn(rangesOf(rows))).toEqual(rows);
      }),
    );
    expect(rangesOf([4, 5, 6, 8, 7])).toEqual([
      { first: 4, last: 6 },
      { first: 8, last: 8 },
      { first: 7, last: 7 },
    ]);
  });

  test("hold everything but the rows that have left", () => {
    const some = fc.uniqueArray(fc.integer({ min: 1, max: 40 }));
    fc.assert(
      fc.property(some, some, (kept, gone) => {
        for (const range of rangesOf(kept.sort((a, b) => a - b))) {
          expect(rowsIn(without(range, gone))).toEqual(rowsIn([range]).filter((row) => !gone.includes(row)));
        }
      }),
    );
  });
});

describe("a claim of neighbours", () => {
  let queue: EmbeddedQueue;
  let owner: Broker;

  beforeEach(async () => {
    queue = new EmbeddedQueue();
    owner = await queue.open();
  });

  afterEach(() => queue.tearDown());

  const ranges = (): unknown[] => queue.sql("SELECT first, last FROM held_range ORDER BY first");
  const stored = (): unknown =>
    queue.sql(
      "SELECT group_concat(state || ':' || claims, ' ') AS rows FROM (SELECT * FROM task ORDER BY id)",
    )[0]?.["rows"];

  test("leaves their rows as they are until they are removed", async () => {
    await keep(owner, ...series("a", 4).map((name) => named(name)));
    const claims = await takeCount(owner, 3);
    expect(stored()).toBe("0:0 0:0 0:0 0:0");
    expect(ranges()).toEqual([{ first: 1, last: 3 }]);
    for (const claim of claims) await finish(owner, claim);
    expect(ranges()).toEqual([]);
    expect(stored()).toBe("0:0");
  });

  test("is running for everybody, and nobody else's", async () => {
    const ids = await keep(owner, ...series("a", 3).map((name) => named(name)));
    await takeCount(owner, 2);
    const other = await queue.open();
    expect(await other.depth()).toMatchObject({ waiting: 1, running: 2 });
    const states = await Promise.all(ids.map(async (id) => (await other.find(id))?.state));
    expect(states).toEqual(["running", "running", "waiting"]);
    expect((await other.list("running", { limit: 9 })).tasks).toMatchObject([
      { id: ids[0], holder: "elsewhere:1" },
      { id: ids[1], holder: "elsewhere:1" },
    ]);
    expect((await other.list("waiting", { limit: 9 })).tasks).toMatchObject([{ id: ids[2] }]);
    expect(queue.sql("SELECT state, holder FROM tasks ORDER BY id")).toEqual([
      { state: "running", holder: "elsewhere:1" },
      { state: "running", holder: "elsewhere:1" },
      { state: "waiting", holder: null },
    ]);
    expect(await other.cancel(ids[1] ?? "")).toBe("running");
    expect(await other.purge(["waiting"])).toBe(1);
    expect(await other.depth()).toMatchObject({ waiting: 0, running: 2 });
    expect((await other.claim({ limit: 9, atOnce: 1 })).idle).toEqual({ kind: "held", count: 2 });
  });

  test("is passed by, whosever it is, and what is left between them is found", async () => {
    const ids = await keep(owner, ...series("a", 12).map((name) => named(name)));
    const second = await queue.open();
    const third = await queue.open();
    const claims = await takeCount(owner, 4);
    await takeCount(second, 4);
    await owner.release(claims.slice(1, 3));
    const found = await take(third, 4);
    expect(found.map(({ task }) => task.id)).toEqual([ids[1], ids[2], ids[8], ids[9]]);
  });

  test("of tasks with keys is noted in their rows, where whoever looks for a key reads it", async () => {
    await keep(owner, named("a", { key: "k" }), named("b"), named("c"));
    await takeCount(owner, 3);
    expect(ranges()).toEqual([{ first: 2, last: 3 }]);
    expect(stored()).toBe("2:1 0:0 0:0");
  });

  test("gives back what is released from the middle, which no earlier claim of it can settle", async () => {
    await keep(owner, ...series("a", 5).map((name) => named(name)));
    const claims = await takeCount(owner, 5);
    const middle = claims.slice(2, 3);
    await owner.release(middle);
    expect(ranges()).toEqual([
      { first: 1, last: 2 },
      { first: 4, last: 5 },
    ]);
    expect(await take(owner, 5)).toMatchObject([{ task: middle[0]?.task, attempt: 1 }]);
    expect(await owner.settle(middle.map((claim) => ({ claim, outcome: { kind: "done" } })))).toEqual([
      "lost",
    ]);
    expect(await owner.depth()).toMatchObject({ running: 5 });
  });

  test("gives back what fails, at once or as a dead letter, and keeps the rest", async () => {
    await keep(owner, ...series("a", 4).map((name) => named(name)));
    const [a, b, c, d] = await takeCount(owner, 4);
    if (!a || !b || !c || !d) throw new Error("four were claimed");
    for (const claim of [b, c]) await start(owner, claim);
    await owner.settle([
      { claim: b, outcome: { kind: "retry", at: 0, error: "busy" } },
      { claim: c, outcome: { kind: "dead", reason: "no such user" } },
    ]);
    expect(await owner.depth()).toMatchObject({ waiting: 1, running: 2, dead: 1 });
    expect(await owner.putBack("all")).toBe(1);
    const others = await take(await queue.open(), 9);
    expect(others.map(({ task, attempt }) => [task.args[0], attempt])).toEqual([
      [b.task.args[0], 2],
      [c.task.args[0], 1],
    ]);
    for (const claim of [a, d]) await finish(owner, claim);
    expect(ranges()).toMatchObject([{ first: 2, last: 3 }]);
  });

  test("whose owner dies charges what was started and nothing else", async () => {
    await keep(owner, ...series("a", 6).map((name) => named(name)));
    const claims = await takeCount(owner, 6);
    for (const claim of claims.slice(0, 3)) await start(owner, claim);
    for (const claim of claims.slice(0, 1)) await finish(owner, claim);
    for (const claim of claims.slice(4, 5)) await start(owner, claim, true); // on record
    await queue.kill(owner);
    const other = await queue.open();
    expect(await drain(other)).toMatchObject([
      { name: claims[1]?.task.args[0], attempt: 2, alone: true },
      { name: claims[2]?.task.args[0], attempt: 2, alone: true },
      { name: claims[4]?.task.args[0], attempt: 2, alone: true },
      { name: claims[3]?.task.args[0], attempt: 1, alone: false },
      { name: claims[5]?.task.args[0], attempt: 1, alone: false },
    ]);
    expect(ranges()).toEqual([]);
  });

  test("is noted in the rows once a queue has many ranges, so that they cost its claims little", async () => {
    await keep(owner, ...series("a", 60).map((name) => named(name)));
    for (let nth = 0; nth < 20; nth++) await takeCount(owner, 2);
    expect(ranges()).toHaveLength(16);
    expect(names(await take(owner, 99))).toHaveLength(20);
  });
});
