import { describe, expect, test } from "vitest";
import { memoryBroker, memoryQueue, virtualClock } from "../../src/testing.ts";

describe("the virtual clock", () => {
  test("it stands still until it is advanced", async () => {
    const clock = virtualClock(1_000);
    expect(clock.now()).toBe(1_000);
    await clock.advance(250);
    expect(clock.now()).toBe(1_250);
  });

  test("sleepers wake in the order of their times, each at its own", async () => {
    const clock = virtualClock(0);
    const woken: [string, number][] = [];
    const sleeper = async (name: string, atMs: number): Promise<void> => {
      await clock.until(atMs);
      woken.push([name, clock.now()]);
    };
    void sleeper("late", 300);
    void sleeper("soon", 100);
    void sleeper("too late", 301);
    await clock.advance(300);
    expect(woken).toEqual([
      ["soon", 100],
      ["late", 300],
    ]);
    await clock.advance(1);
    expect(woken).toHaveLength(3);
  });

  test("one advance carries a sleeper through several sleeps", async () => {
    const clock = virtualClock(0);
    const ticks: number[] = [];
    const ticking = (async () => {
      for (let at = 10; at <= 50; at += 10) {
        await clock.until(at);
        ticks.push(clock.now());
      }
    })();
    await clock.advance(60);
    await ticking;
    expect(ticks).toEqual([10, 20, 30, 40, 50]);
    expect(clock.now()).toBe(60);
  });

  test("a time that has come and an aborted signal do not wait", async () => {
    const clock = virtualClock(1_000);
    await clock.until(1_000);
    await clock.until(2_000, AbortSignal.abort());
    expect(clock.now()).toBe(1_000);
  });

  test("an abort wakes a sleeper where time stands", async () => {
    const clock = virtualClock(0);
    const stop = new AbortController();
    const sleeping = clock.until(1_000, stop.signal);
    stop.abort();
    await sleeping;
    expect(clock.now()).toBe(0);
    await clock.advance(2_000);
    expect(clock.now()).toBe(2_000);
  });

  test("by default it begins at a full day", () => {
    expect(virtualClock().now() % 86_400_000).toBe(0);
  });
});

describe("a queue in memory", () => {
  const call = { method: "note", args: ["a"] };

  test("it has a name and a limit of its own", async () => {
    const broker = memoryBroker({ name: "push", maxTaskBytes: 100 });
    expect(broker.queue).toBe("push");
    const [kept, refused] = await broker.publish([call, { method: "note", args: ["x".repeat(100)] }]);
    expect([kept?.kind, refused]).toMatchObject(["kept", { code: "TASK_TOO_LARGE" }]);
  });

  test("without a clock it lives in real time", async () => {
    const broker = memoryBroker();
    const before = Date.now();
    await broker.publish([call]);
    const { claims } = await broker.claim({ limit: 1, atOnce: 1 });
    expect(claims[0]?.task.bornAt).toBeGreaterThanOrEqual(before);
    expect(claims[0]?.task.bornAt).toBeLessThanOrEqual(Date.now());
  });

  test("two queues share nothing", async () => {
    const [one, other] = [memoryBroker(), memoryBroker()];
    await one.publish([call]);
    expect(await one.depth()).toMatchObject({ waiting: 1 });
    expect(await other.depth()).toMatchObject({ waiting: 0 });
  });

  test("a lease can be ended by the test", async () => {
    const queue = memoryQueue({ clock: virtualClock() });
    const [run, other] = [queue.open(), queue.open()];
    await run.publish([call]);
    const { claims } = await run.claim({ limit: 1, atOnce: 1 });
    for (const claim of claims) await run.start(claim, { last: false });
    expect(await other.claim({ limit: 1, atOnce: 1 })).toMatchObject({ idle: { kind: "held", count: 1 } });
    queue.endLease(run);
    expect(await other.claim({ limit: 1, atOnce: 1 })).toMatchObject({
      claims: [{ attempt: 2, alone: true }],
    });
  });
});
