import { describe, expect, test } from "vitest";
import { LEASE_MS, MAX_BATCH } from "../../src/ports/broker.ts";
import { memoryQueue, virtualClock } from "../../src/testing.ts";
import { brokerContract } from "./broker-contract.ts";
import {
  finish,
  idleOf,
  keep,
  keepOne,
  named,
  names,
  start,
  take,
  takeCount,
  takeOne,
} from "./facts/ground.ts";
import { memoryHarness } from "./memory.harness.ts";

brokerContract(memoryHarness);

// Where the contract leaves room, the model takes the narrowest way.
describe("the memory broker as the model", () => {
  test("what was claimed and not started is not handed out alone", async () => {
    const queue = memoryQueue({ clock: virtualClock() });
    const owner = queue.open();
    await keep(owner, named("a"), named("b"), named("c"));
    const [first] = await takeCount(owner, 3, 3);
    if (first) await start(owner, first);
    queue.endLease(owner);
    expect(await take(queue.open())).toMatchObject([{ attempt: 2, alone: true }]);
    expect(await take(queue.open())).toMatchObject([
      { attempt: 1, alone: false },
      { attempt: 1, alone: false },
    ]);
  });

  test("a due time and a lease's end are exact to the millisecond", async () => {
    const clock = virtualClock();
    const queue = memoryQueue({ clock });
    const owner = queue.open();
    await keepOne(owner, named("later", { dueAt: clock.now() + 1_500 }));
    await clock.advance(1_499);
    expect(await take(owner)).toEqual([]);
    await clock.advance(1);
    const claim = await takeOne(owner);
    await clock.advance(LEASE_MS - 1);
    expect(await take(queue.open())).toEqual([]);
    await clock.advance(1);
    expect(owner.start(claim, { last: false })).toBe("lost");
    expect(names(await take(queue.open()))).toEqual(["later"]);
  });

  test("an owner that stalled and comes back before anyone else settles what it has", async () => {
    const queue = memoryQueue({ clock: virtualClock() });
    const owner = queue.open();
    const id = await keepOne(owner, named("a"));
    const claim = await takeOne(owner);
    await start(owner, claim);
    queue.endLease(owner);
    const record = await owner.find(id);
    expect(record).toMatchObject({ state: "waiting", attempts: 1 });
    expect(record?.holder).toBeUndefined();
    expect(await owner.settle([{ claim, outcome: { kind: "done" } }])).toEqual(["settled"]);
    expect(await owner.find(id)).toBeUndefined();
  });

  test("tasks that fall due stand in the line by their time, then in the order they were published", async () => {
    const clock = virtualClock();
    const owner = memoryQueue({ clock }).open();
    const dueAt = clock.now() + 2_000;
    await keep(owner, named("second", { dueAt: dueAt + 1 }), named("first", { dueAt }), named("zeroth"));
    await clock.advance(3_000);
    await keepOne(owner, named("third"));
    expect(names(await take(owner))).toEqual(["zeroth", "first", "second", "third"]);
  });

  test("a suspect is not passed over for ever by an owner that always holds something", async () => {
    const clock = virtualClock();
    const queue = memoryQueue({ clock });
    const [dying, busy] = [queue.open(), queue.open()];
    await keep(dying, named("suspect"), ...["a", "b", "c", "d", "e"].map((name) => named(name)));
    await start(dying, await takeOne(dying));
    let held = await takeOne(busy);
    queue.endLease(dying);
    for (const name of ["b", "c", "d", "e"]) {
      const next = await takeOne(busy);
      expect(next.task.args).toEqual([name]);
      await finish(busy, held);
      held = next;
      await clock.advance(9_000);
      await busy.renew();
    }
    await keepOne(busy, named("f"));
    expect(await idleOf(busy)).toEqual({ kind: "held", count: 2 });
    await finish(busy, held);
    expect(names([await takeOne(busy)])).toEqual(["suspect"]);
  });

  test("a suspect that was started and released is no suspect any more", async () => {
    const queue = memoryQueue({ clock: virtualClock() });
    const owner = queue.open();
    await keepOne(owner, named("a"));
    await start(owner, await takeOne(owner));
    queue.endLease(owner);
    const careful = queue.open();
    const claim = await takeOne(careful);
    await start(careful, claim);
    await careful.release([claim]);
    expect(await takeOne(careful)).toMatchObject({ attempt: 2, alone: false });
  });

  test("a retry whose time has passed stands behind those who wait", async () => {
    const clock = virtualClock();
    const owner = memoryQueue({ clock }).open();
    await keep(owner, named("late"), named("b"));
    const claim = await takeOne(owner);
    await clock.advance(1_000);
    await finish(owner, claim, { kind: "retry", at: clock.now() - 5_000, error: "again" });
    expect(names(await take(owner))).toEqual(["b", "late"]);
  });

  test("a batch over the limit is refused as a whole", async () => {
    const owner = memoryQueue().open();
    const tooMany = Array.from({ length: MAX_BATCH + 1 }, () => named("a"));
    await expect(owner.publish(tooMany)).rejects.toMatchObject({ code: "BUG" });
    expect(await owner.depth()).toMatchObject({ waiting: 0 });
  });
});
