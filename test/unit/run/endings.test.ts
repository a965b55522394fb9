import { describe, expect, test, vi } from "vitest";
import { systemClock } from "../../../src/ports/clock.ts";
import { Budget } from "../../../src/run/budget.ts";
import { task } from "../../../src/run/task-context.ts";
import {
  altered,
  argsIn,
  drainWith,
  gate,
  ground,
  kinds,
  noted,
  numbered,
  publish,
  told,
  until,
} from "./ground.ts";
import { HOSTILE } from "./hostile.ts";

const never = (): Promise<void> => new Promise(() => undefined);

describe("an attempt that never ends", () => {
  test("fails when its time is up, told through its signal; the run goes on", async () => {
    const place = ground();
    const reasons: unknown[] = [];
    class Worker {
      async hang(): Promise<void> {
        const { signal } = task();
        signal.addEventListener("abort", () => reasons.push(signal.reason));
        await never();
      }
      ok(): void {}
    }
    const [id] = await publish(place.broker, { method: "hang", timeoutMs: 20 }, { method: "ok" });
    expect(await drainWith(place, { Worker })).toBe("due");
    expect(kinds(place)).toEqual(["retry", "done"]);
    expect(await place.broker.find(id ?? "")).toMatchObject({
      state: "delayed",
      error: "timed out after 20ms",
    });
    expect(reasons).toMatchObject([{ message: "timed out after 20ms" }]);
  });

  test("sees the same in a signal it looks at only afterwards", async () => {
    const place = ground();
    const { opened, open } = gate();
    const seen: unknown[] = [];
    class Worker {
      async hang(): Promise<void> {
        const context = task();
        await opened;
        seen.push(context.signal.aborted, context.signal.reason);
      }
    }
    await publish(place.broker, { method: "hang", timeoutMs: 5 });
    await drainWith(place, { Worker });
    open();
    await until(() => seen.length > 0);
    expect(seen).toMatchObject([true, { message: "timed out after 5ms" }]);
  });

  test("has its own time before its method's before the queue's", async () => {
    const place = ground();
    class Worker {
      static tasks = { a: { timeout: 20 }, b: { timeout: 20 }, c: {} };
      async a(): Promise<void> {
        await never();
      }
      async b(): Promise<void> {
        await never();
      }
      async c(): Promise<void> {
        await never();
      }
    }
    await publish(place.broker, { method: "a" }, { method: "b", timeoutMs: 10 }, { method: "c" });
    await drainWith(place, { Worker }, { timeoutMs: 30 });
    expect(told(place, "retry").map(({ error }) => (error as Error).message)).toEqual(
      ["20ms", "10ms", "30ms"].map((time) => `timed out after ${time}`),
    );
  });

  test("that rejects after its time harms nobody", async () => {
    const place = ground();
    const { opened, open } = gate();
    let rejected = false;
    class Worker {
      async late(): Promise<void> {
        await opened;
        rejected = true;
        throw new Error("late");
      }
      ok(): void {}
    }
    await publish(place.broker, { method: "late", timeoutMs: 5 });
    await drainWith(place, { Worker });
    open();
    await until(() => rejected);
    await new Promise(setImmediate); // an unhandled rejection would fail the test run here
    expect(kinds(place)).toEqual(["retry"]);
  });

  test("and would abort itself can do so only as a failure", async () => {
    const place = ground();
    class Worker {
      async sly(): Promise<void> {
        (task() as unknown as { abort(error: Error): void }).abort(new Error("by itself"));
        await never();
      }
    }
    await publish(place.broker, { method: "sly" });
    expect(await drainWith(place, { Worker })).toBe("due");
    expect(told(place, "retry")).toMatchObject([{ error: { message: "by itself" } }]);
  });
});

describe("limits", () => {
  class Worker {
    static runs = 0;
    push(): void {
      Worker.runs++;
    }
    async slow(): Promise<void> {
      Worker.runs++;
      await new Promise((resolve) => setTimeout(resolve, 30));
    }
  }

  test.each([
    [1, 1],
    [7, 1],
    [7, 5],
    [100, 3],
  ])(
    "of %d tasks start as many, with %d at a time, and hand back the rest",
    async (maxTasks, concurrency) => {
      const place = ground();
      Worker.runs = 0;
      await publish(place.broker, ...numbered("push", 300));
      expect(await drainWith(place, { Worker }, { limits: { maxTasks }, concurrency })).toBe("max-tasks");
      expect(Worker.runs).toBe(maxTasks);
      expect(await place.broker.depth()).toMatchObject({ waiting: 300 - maxTasks, running: 0 });
      expect(await argsIn(place.broker, "waiting")).toEqual([...Array(300).keys()].slice(maxTasks));
    },
  );

  test("of tasks hold exactly over several queues that share them", async () => {
    const places = ["a", "b", "c"].map((name) => ground(name));
    Worker.runs = 0;
    const budget = new Budget({ maxTasks: 100 }, systemClock);
    for (const { broker } of places) await publish(broker, ...numbered("push", 80));
    const ends = await Promise.all(
      places.map((place) => drainWith(place, { Worker }, { budget, concurrency: 4 })),
    );
    expect(Worker.runs).toBe(100);
    const depths = await Promise.all(places.map(({ broker }) => broker.depth()));
    expect(depths.reduce((sum, { waiting }) => sum + waiting, 0)).toBe(140);
    expect(depths.map(({ running }) => running)).toEqual([0, 0, 0]);
    expect(ends).toContain("max-tasks");
  });

  test("of time start no task that would not fit", async () => {
    const place = ground();
    Worker.runs = 0;
    const budget = new Budget({ maxTimeMs: 75 }, systemClock);
    await publish(place.broker, ...numbered("slow", 50));
    expect(await drainWith(place, { Worker }, { budget })).toBe("max-time");
    expect(Worker.runs).toBeGreaterThanOrEqual(1);
    expect(Worker.runs).toBeLessThanOrEqual(2);
    expect(await place.broker.depth()).toMatchObject({ waiting: 50 - Worker.runs, running: 0 });
  });

  test("of time that slow tasks of one queue reach leave fast ones of another alone", async () => {
    const [slow, fast] = [ground("slow"), ground("fast")];
    let now = 0;
    const budget = new Budget({ maxTimeMs: 5_000 }, { now: () => now, upMs: () => now });
    class Mixed {
      async slow(): Promise<void> {
        await new Promise((resolve) => setTimeout(resolve, 60));
        now = 4_970;
      }
      fast(): void {}
    }
    await publish(slow.broker, ...numbered("slow", 2));
    await publish(fast.broker, ...numbered("fast", 20));
    expect(await drainWith(slow, { Mixed }, { budget })).toBe("max-time");
    expect(told(slow, "done")).toHaveLength(1);
    expect(await drainWith(fast, { Mixed }, { budget })).toBe("empty");
  });

  test("of memory end the run before it starts a second task", async () => {
    const place = ground();
    Worker.runs = 0;
    await publish(place.broker, ...numbered("push", 5));
    expect(await drainWith(place, { Worker }, { limits: { maxMemoryBytes: 1 } })).toBe("max-memory");
    expect(Worker.runs).toBe(1);
    expect(await place.broker.depth()).toMatchObject({ waiting: 4 });
  });
});

describe("a stop", () => {
  test("before the run starts nothing", async () => {
    const place = ground();
    await publish(place.broker, { method: "push" });
    const Worker = class Worker {
      push(): void {}
    };
    expect(await drainWith(place, { Worker }, { stop: AbortSignal.abort() })).toBe("stopped");
    expect(place.events).toEqual([]);
    expect(await place.broker.depth()).toMatchObject({ waiting: 1 });
  });

  test("lets what runs end, and hands back what is claimed, uncharged and in order", async () => {
    const place = ground();
    const stop = new AbortController();
    class Worker {
      async push(index: number): Promise<void> {
        if (index === 30) stop.abort();
        await Promise.resolve();
      }
    }
    await publish(place.broker, ...numbered("push", 200));
    expect(await drainWith(place, { Worker }, { stop: stop.signal })).toBe("stopped");
    expect(told(place, "done")).toHaveLength(31);
    expect(await argsIn(place.broker, "waiting")).toEqual([...Array(200).keys()].slice(31));
    const { tasks } = await place.broker.list("waiting", { limit: 200 });
    expect(tasks.every(({ attempts }) => attempts === 0)).toBe(true);
  });

  test("reaches a run of synchronous tasks", async () => {
    const place = ground();
    const stop = new AbortController();
    setTimeout(() => {
      stop.abort();
    }, 1);
    class Worker {
      push(): void {
        const endAt = performance.now() + 0.2;
        while (performance.now() < endAt);
      }
    }
    await publish(place.broker, ...numbered("push", 1_000));
    expect(await drainWith(place, { Worker }, { stop: stop.signal })).toBe("stopped");
    expect(told(place, "done").length).toBeLessThan(1_000);
  });

  test("aborts after its grace what still runs, and hands it back uncharged", async () => {
    const place = ground();
    const stop = new AbortController();
    const reasons: unknown[] = [];
    class Worker {
      async hang(): Promise<void> {
        task().signal.addEventListener("abort", (event) =>
          reasons.push((event.target as AbortSignal).reason),
        );
        if (++running === 2) stop.abort();
        await never();
      }
    }
    let running = 0;
    const ids = await publish(place.broker, { method: "hang" }, { method: "hang" }, { method: "hang" });
    expect(await drainWith(place, { Worker }, { stop: stop.signal, graceMs: 10, concurrency: 2 })).toBe(
      "stopped",
    );
    expect(told(place, "handedBack")).toMatchObject([
      { task: { id: ids[0] }, why: "the run was stopped" },
      { task: { id: ids[1] }, why: "the run was stopped" },
    ]);
    expect(reasons).toMatchObject([{ name: "RunEnded" }, { name: "RunEnded" }]);
    expect(await place.broker.depth()).toMatchObject({ waiting: 3, running: 0, delayed: 0 });
    for (const id of ids) expect(await place.broker.find(id)).toMatchObject({ attempts: 0 });
  });

  test("aborts even what was let in after its grace by a slow start", async () => {
    const place = ground();
    const stop = new AbortController();
    const { opened, open } = gate();
    class Worker {
      async hang(): Promise<void> {
        await never();
      }
    }
    const [id] = await publish(place.broker, { method: "hang" });
    let starting = false;
    const broker = altered(place.broker, {
      start: async (claim, options) => {
        starting = true;
        await opened;
        return place.broker.start(claim, options);
      },
    });
    const draining = drainWith({ ...place, broker }, { Worker }, { stop: stop.signal, graceMs: 0 });
    await until(() => starting);
    stop.abort();
    await new Promise((resolve) => setTimeout(resolve, 5));
    open();
    expect(await draining).toBe("stopped");
    expect(await place.broker.find(id ?? "")).toMatchObject({ state: "waiting", attempts: 0 });
  });

  test("wakes the lanes that wait for more", async () => {
    const place = ground();
    const stop = new AbortController();
    const { opened, open } = gate();
    let runs = 0;
    class Worker {
      async hold(): Promise<void> {
        runs++;
        await opened;
      }
    }
    let claims = 0;
    const broker = noted(place.broker, (name) => {
      if (name === "claim") claims++;
    });
    await publish(broker, { method: "hold" });
    const draining = drainWith({ ...place, broker }, { Worker }, { stop: stop.signal, concurrency: 2 });
    await until(() => runs === 1 && claims === 2);
    stop.abort();
    await publish(place.queue.open(), { method: "hold" });
    open();
    expect(await draining).toBe("stopped");
    expect([runs, claims]).toEqual([1, 2]);
  });
});

describe("nothing to run", () => {
  class Worker {
    push(): void {}
  }
  const unloaded = { registry: () => Promise.reject(new Error("loaded")) };

  test("loads no handler: the queue is empty", async () => {
    expect(await drainWith(ground(), { Worker }, unloaded)).toBe("empty");
  });

  test("loads no handler: the queue is paused", async () => {
    const place = ground();
    await publish(place.broker, { method: "push" });
    await place.broker.pause();
    expect(await drainWith(place, { Worker }, unloaded)).toBe("paused");
    await place.broker.pause(place.clock.now() + 1_000);
    expect(await drainWith(place, { Worker }, unloaded)).toBe("paused");
    await place.clock.advance(1_000);
    expect(await drainWith(place, { Worker })).toBe("empty");
  });

  test("loads no handler: nothing is due yet", async () => {
    const place = ground();
    await publish(place.broker, { method: "push", dueAt: place.clock.now() + 1_000 });
    expect(await drainWith(place, { Worker }, unloaded)).toBe("due");
    await place.clock.advance(1_000);
    expect(await drainWith(place, { Worker })).toBe("empty");
    expect(kinds(place)).toEqual(["done"]);
  });

  test("loads no handler: there are dead letters only", async () => {
    const place = ground();
    await publish(place.broker, { method: "gone" });
    await drainWith(place, { Worker });
    expect(await drainWith(place, { Worker }, unloaded)).toBe("empty");
  });

  test("is said otherwise when others hold it", async () => {
    const place = ground();
    await publish(place.broker, { method: "push" });
    await place.queue.open().claim({ limit: 1, atOnce: 1 });
    expect(await drainWith(place, { Worker })).toBe("held");
  });
});

describe("handlers that cannot be had", () => {
  test.each([
    ["the class is missing", {}, /there is no handler class "Worker"|not among/],
    [
      "its constructor throws",
      {
        Worker: class {
          constructor() {
            throw new Error("no database");
          }
          push(): void {}
        },
      },
      /new Worker\(\) failed: no database/,
    ],
    [
      "its constructor throws what cannot be shown",
      {
        Worker: class {
          constructor() {
            throw HOSTILE[0]?.[1];
          }
          push(): void {}
        },
      },
      /new Worker\(\) failed: threw a value that cannot be shown/,
    ],
  ])("end the run before it claims anything: %s", async (_what, handlers, message) => {
    const place = ground();
    const asked: string[] = [];
    await publish(place.broker, { method: "push" });
    const broker = noted(place.broker, (name) => asked.push(name));
    const draining = drainWith({ ...place, broker }, handlers, { className: "Worker" });
    await expect(draining).rejects.toMatchObject({
      code: "HANDLER_MISSING",
      message: expect.stringMatching(message) as unknown,
    });
    expect(asked).toEqual(["depth"]);
  });

  test("fail the task, when it is another class whose constructor throws", async () => {
    const place = ground();
    class Worker {
      push(): void {}
    }
    class Mailer {
      constructor() {
        throw new Error("no server");
      }
      send(): void {}
    }
    await publish(place.broker, { method: "send", class: "Mailer" }, { method: "push" });
    expect(await drainWith(place, { Worker, Mailer })).toBe("due");
    expect(kinds(place).sort()).toEqual(["done", "retry"]);
    expect(told(place, "retry")).toMatchObject([{ error: { message: "no server" } }]);
  });
});

describe("instances", () => {
  test("are one per class and run, and none of a class without a task", async () => {
    const place = ground();
    const made: string[] = [];
    const classNamed = (name: string): unknown =>
      class {
        constructor() {
          made.push(name);
        }
        push(): void {}
      };
    const handlers = {
      Worker: classNamed("Worker"),
      Mailer: classNamed("Mailer"),
      Unused: classNamed("Unused"),
    };
    await publish(
      place.broker,
      ...numbered("push", 5),
      { method: "push", class: "Mailer" },
      { method: "push", class: "Mailer" },
    );
    await drainWith(place, handlers, { concurrency: 3 });
    expect(made).toEqual(["Worker", "Mailer"]);
    await publish(place.broker, { method: "push" });
    await drainWith(place, handlers);
    expect(made).toEqual(["Worker", "Mailer", "Worker"]);
  });

  test("are closed and awaited after the last task, asyncDispose before close", async () => {
    const place = ground();
    const seen: string[] = [];
    class Worker {
      push(): void {
        seen.push("push");
      }
      async [Symbol.asyncDispose](): Promise<void> {
        await new Promise((resolve) => setTimeout(resolve, 5));
        seen.push("disposed");
      }
      close(): void {
        seen.push("closed too");
      }
    }
    class Mailer {
      send(): void {
        seen.push("send");
      }
      async close(): Promise<void> {
        await Promise.resolve();
        seen.push("closed");
      }
    }
    await publish(place.broker, { method: "push" }, { method: "send", class: "Mailer" });
    await drainWith(place, { Worker, Mailer });
    expect(seen).toEqual(["push", "send", "disposed", "closed"]);
  });

  test("that cannot be closed are told, and keep no other from closing", async () => {
    const place = ground();
    const seen: string[] = [];
    class Worker {
      push(): void {}
      async close(): Promise<void> {
        await Promise.reject(new Error("still busy"));
      }
    }
    class Mailer {
      push(): void {}
      close(): void {
        seen.push("closed");
      }
    }
    await publish(place.broker, { method: "push" }, { method: "push", class: "Mailer" });
    expect(await drainWith(place, { Worker, Mailer })).toBe("empty");
    expect(seen).toEqual(["closed"]);
    expect(told(place, "stray")).toMatchObject([
      { error: { message: "Worker could not be closed: still busy" } },
    ]);
  });

  test("that never end closing are waited for 10 s", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    try {
      const place = ground();
      const seen: string[] = [];
      class Worker {
        push(): void {}
        async close(): Promise<void> {
          seen.push("closing");
          await never();
        }
      }
      await publish(place.broker, { method: "push" });
      const draining = drainWith(place, { Worker });
      while (seen.length === 0) await new Promise(setImmediate);
      await vi.advanceTimersByTimeAsync(9_999);
      expect(told(place, "stray")).toEqual([]);
      await vi.advanceTimersByTimeAsync(1);
      expect(await draining).toBe("empty");
      expect(told(place, "stray")).toMatchObject([
        { error: { message: "Worker could not be closed: it took longer than 10s" } },
      ]);
    } finally {
      vi.useRealTimers();
    }
  });
});
