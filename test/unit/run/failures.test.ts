import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { MemqError } from "../../../src/errors.ts";
import { LEASE_MS, type Broker } from "../../../src/ports/broker.ts";
import { runQueues, type QueueRun } from "../../../src/run/run.ts";
import {
  altered,
  countTimers,
  drainWith,
  gate,
  ground,
  numbered,
  partsOf,
  publish,
  told,
  until,
  type Ground,
} from "./ground.ts";

const gone = (): Promise<never> => Promise.reject(new MemqError("BROKER_UNREACHABLE", "memcached is gone"));
/** Fails from its nth call on. */
function from<A extends unknown[], R>(
  nth: number,
  works: (...args: A) => Promise<R>,
): (...args: A) => Promise<R> {
  let calls = 0;
  return (...args) => (++calls >= nth ? gone() : works(...args));
}

const closed: string[] = [];
class Worker {
  push(): void {}
  async slow(): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, 6));
  }
  close(): void {
    closed.push("closed");
  }
}

const unhandled: unknown[] = [];
const onUnhandled = (error: unknown): void => {
  unhandled.push(error);
};
let timers: ReturnType<typeof countTimers>;
beforeEach(() => {
  timers = countTimers();
  closed.length = 0;
  unhandled.length = 0;
  process.on("unhandledRejection", onUnhandled);
});
afterEach(async () => {
  timers.stop();
  await new Promise(setImmediate);
  process.off("unhandledRejection", onUnhandled);
  expect(unhandled).toEqual([]);
});

describe("a broker that fails", () => {
  const failing: readonly (readonly [string, (broker: Broker) => Broker])[] = [
    ["at its first claim", (broker) => altered(broker, { claim: gone })],
    ["at a later claim", (broker) => altered(broker, { claim: from(4, (request) => broker.claim(request)) })],
    ["at its first settle", (broker) => altered(broker, { settle: gone })],
    ["at a later settle", (broker) => altered(broker, { settle: from(3, (group) => broker.settle(group)) })],
    [
      "at a start",
      (broker) => altered(broker, { start: from(3, (...args) => Promise.resolve(broker.start(...args))) }),
    ],
    [
      "at a start, at once",
      (broker) =>
        altered(broker, {
          start: () => {
            throw new MemqError("BROKER_UNREACHABLE", "memcached is gone");
          },
        }),
    ],
    [
      "at everything from the first claim on",
      (broker) =>
        altered(broker, {
          claim: from(3, (request) => broker.claim(request)),
          settle: gone,
          release: gone,
          start: from(9, (...args) => Promise.resolve(broker.start(...args))),
        }),
    ],
    [
      "while a lane waits for more",
      (broker) =>
        altered(broker, {
          wait: gone,
          start: async (...args) => {
            await new Promise((resolve) => setTimeout(resolve, 3));
            return broker.start(...args);
          },
        }),
    ],
  ];

  test.each(
    failing.flatMap(([when, alter]) =>
      (when.includes("waits") ? [4] : [1, 4]).map((concurrency) => [when, concurrency, alter] as const),
    ),
  )(
    "%s ends the run with its error, closes the handlers and leaves no timer: %d at a time",
    async (_when, concurrency, alter) => {
      const place = ground();
      await publish(place.broker, ...numbered("push", 30), ...numbered("slow", 3));
      const draining = drainWith({ ...place, broker: alter(place.broker) }, { Worker }, { concurrency });
      await expect(draining).rejects.toMatchObject({
        code: "BROKER_UNREACHABLE",
        message: "memcached is gone",
      });
      expect(closed).toEqual(["closed"]);
      expect(timers.open()).toBe(0);
    },
  );

  test("has what was claimed and not started handed back, and what ended recorded", async () => {
    const place = ground();
    const broker = altered(place.broker, {
      start: from(40, (...args) => Promise.resolve(place.broker.start(...args))),
    });
    await publish(place.broker, ...numbered("push", 300));
    await expect(drainWith({ ...place, broker }, { Worker })).rejects.toMatchObject({
      code: "BROKER_UNREACHABLE",
    });
    expect(told(place, "done")).toHaveLength(39);
    // Whether the one start counts, nobody knows: its claim is left to the lease.
    expect(await place.broker.depth()).toMatchObject({ running: 1, waiting: 260 });
  });

  test("tells as done only what was recorded", async () => {
    const place = ground();
    const broker = altered(place.broker, { settle: gone });
    await publish(place.broker, ...numbered("push", 3));
    await expect(drainWith({ ...place, broker }, { Worker })).rejects.toMatchObject({
      code: "BROKER_UNREACHABLE",
    });
    expect(place.events.map(({ kind }) => kind)).toEqual(["unrecorded"]);
  });

  test("lets the tasks of other lanes end, and records them when it can", async () => {
    const place = ground();
    const { opened, open } = gate();
    let running = false;
    class Mixed {
      push(): void {}
      async hold(): Promise<void> {
        running = true;
        await opened;
      }
    }
    let settles = 0;
    const broker = altered(place.broker, {
      settle: (group) => {
        if (++settles === 1) {
          setTimeout(open, 5);
          return gone();
        }
        return place.broker.settle(group);
      },
    });
    await publish(place.broker, { method: "hold" }, { method: "push" });
    await expect(drainWith({ ...place, broker }, { Mixed }, { concurrency: 2 })).rejects.toMatchObject({
      message: "memcached is gone",
    });
    expect(running).toBe(true);
    expect(told(place, "done").map(({ task }) => task.method)).toEqual(["hold"]);
  });

  test("to renew is outlived by the lease; the run goes on when it comes back", async () => {
    vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
    try {
      const place = ground();
      const { opened, open } = gate();
      let running = false;
      class Holding {
        async hold(): Promise<void> {
          running = true;
          await opened;
        }
      }
      let renewals = 0;
      const broker = altered(place.broker, {
        renew: () => (++renewals === 2 ? gone() : place.broker.renew()),
      });
      await publish(place.broker, { method: "hold" });
      const draining = drainWith({ ...place, broker }, { Holding });
      await until(() => running);
      for (let third = 0; third < 6; third++) {
        await place.clock.advance(LEASE_MS / 3);
        await vi.advanceTimersByTimeAsync(LEASE_MS / 3);
      }
      expect(renewals).toBe(6);
      open();
      expect(await draining).toBe("empty");
      expect(told(place, "stray")).toEqual([]);
      expect(told(place, "done")).toHaveLength(1);
      expect(vi.getTimerCount()).toBe(0);
    } finally {
      vi.useRealTimers();
    }
  });
});

test("a run leaves no timer and no listener behind", async () => {
  const place = ground();
  const stop = new AbortController();
  let listeners = 0;
  stop.signal.addEventListener = () => {
    listeners++;
  };
  stop.signal.removeEventListener = () => {
    listeners--;
  };
  await publish(place.broker, ...numbered("slow", 3), ...numbered("push", 3));
  await drainWith(place, { Worker }, { concurrency: 2, stop: stop.signal });
  expect([timers.open(), listeners]).toEqual([0, 0]);
});

describe("a run of several queues", () => {
  const queueOf = (place: Ground, wishes: Partial<QueueRun> = {}): QueueRun => {
    const { broker, ...parts } = partsOf(place, { Worker });
    return { ...parts, queue: broker.queue, open: () => Promise.resolve(broker), ...wishes };
  };

  test("drains the others when one fails, names it, and exits with the worst", async () => {
    const places = ["good", "gone", "wrong", "bad"].map((name) => ground(name));
    for (const { broker } of places) await publish(broker, ...numbered("push", 20));
    await publish((places[3] as Ground).broker, { method: "psuh" });
    const [good, down, wrong, bad] = places.map((place) => queueOf(place)) as [
      QueueRun,
      QueueRun,
      QueueRun,
      QueueRun,
    ];
    const report = await runQueues([
      good,
      { ...down, open: gone },
      { ...wrong, registry: () => Promise.reject(new MemqError("HANDLER_MISSING", "no handler")) },
      bad,
    ]);
    expect(report.queues).toMatchObject([
      { queue: "good", done: 20, dead: 0, left: 0, ended: "empty" },
      {
        queue: "gone",
        done: 0,
        left: undefined,
        ended: "failed",
        failure: { code: "BROKER_UNREACHABLE", message: "memcached is gone" },
      },
      { queue: "wrong", done: 0, ended: "failed", failure: { code: "HANDLER_MISSING" } },
      { queue: "bad", done: 20, dead: 1, retried: 0, left: 0, ended: "empty" },
    ]);
    expect(report.exit).toBe(78);
    expect((await runQueues([queueOf(ground()), { ...down, open: gone }])).exit).toBe(69);
  });

  test("reports what was done before a queue failed", async () => {
    const place = ground();
    await publish(place.broker, ...numbered("slow", 3));
    const broker = altered(place.broker, { settle: from(3, (group) => place.broker.settle(group)) });
    const { queues, exit } = await runQueues([queueOf(place, { open: () => Promise.resolve(broker) })]);
    expect(queues).toMatchObject([{ done: 2, ended: "failed", failure: { code: "BROKER_UNREACHABLE" } }]);
    expect(exit).toBe(69);
  });

  test("counts retried and dead tasks, lost leases and losses, and exits accordingly", async () => {
    const place = ground();
    await publish(place.broker, { method: "psuh" });
    expect((await runQueues([queueOf(place)])).exit).toBe(1);

    const losing = ground();
    const loss = { at: 5, cause: "eviction", atLeast: 3 } as const;
    const broker = altered(losing.broker, { losses: () => Promise.resolve([loss]) });
    const report = await runQueues([queueOf(losing, { open: () => Promise.resolve(broker) })]);
    expect(report).toMatchObject({ exit: 74, queues: [{ losses: [loss], ended: "empty" }] });
    expect(told(losing, "loss")).toMatchObject([{ loss }]);

    const late = ground();
    await publish(late.broker, { method: "push" });
    const lost = altered(late.broker, {
      settle: (group) => Promise.resolve(group.map(() => "lost" as const)),
    });
    expect(await runQueues([queueOf(late, { open: () => Promise.resolve(lost) })])).toMatchObject({
      exit: 74,
      queues: [{ done: 0, leasesLost: 1 }],
    });
  });

  test("counts a task whose bytes are broken as dead", async () => {
    const place = ground();
    const [id] = await publish(place.broker, { method: "push" });
    place.queue.corrupt(id ?? "", "{");
    expect(await runQueues([queueOf(place)])).toMatchObject({
      exit: 1,
      queues: [{ done: 0, dead: 1, ended: "empty" }],
    });
  });

  test("runs every task when a listener throws, and reports that as a failure", async () => {
    const place = ground();
    await publish(place.broker, ...numbered("push", 50));
    const tell = (): never => {
      throw new Error("the disk of the log is full");
    };
    const report = await runQueues([queueOf(place, { tell })]);
    expect(report).toMatchObject({
      exit: 70,
      queues: [
        {
          done: 50,
          left: 0,
          ended: "empty",
          failure: { code: "BUG", message: "a listener threw: the disk of the log is full" },
        },
      ],
    });
  });

  test("of many queues with one stop makes Node warn of nothing", async () => {
    const warnings: unknown[] = [];
    const note = (warning: unknown): void => {
      warnings.push(warning);
    };
    process.on("warning", note);
    const stop = new AbortController().signal;
    const places = Array.from({ length: 30 }, (_, index) => ground(String(index)));
    for (const { broker } of places) await publish(broker, ...numbered("slow", 2));
    const { exit } = await runQueues(places.map((place) => queueOf(place, { stop })));
    await new Promise(setImmediate);
    process.off("warning", note);
    expect([exit, warnings]).toEqual([0, []]);
  });
});
