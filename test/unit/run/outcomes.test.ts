import { describe, expect, test } from "vitest";
import { giveUp, pauseQueue, retryLater } from "../../../src/task/outcome.ts";
import { task } from "../../../src/run/task-context.ts";
import { argsIn, drainWith, ground, kinds, numbered, publish, told } from "./ground.ts";
import { HOSTILE } from "./hostile.ts";

describe("a task that succeeds", () => {
  test("leaves nothing behind and is told with its result", async () => {
    const place = ground();
    class Worker {
      push(): string {
        return "sent";
      }
    }
    const [id] = await publish(place.broker, { method: "push" });
    expect(await drainWith(place, { Worker })).toBe("empty");
    expect(place.events).toMatchObject([{ kind: "done", queue: "q", task: { id }, result: "sent" }]);
    expect(await place.broker.find(id ?? "")).toBeUndefined();
  });

  test("gets exactly the published arguments, on the instance", async () => {
    const place = ground();
    const seen: unknown[] = [];
    class Worker {
      readonly name = "instance";
      saveToLocal(msg = "default data", ...rest: readonly unknown[]): void {
        seen.push([this.name, msg, ...rest]);
      }
    }
    const odd = { a: [1, "中文", { __proto__: null }] };
    await publish(
      place.broker,
      { method: "saveToLocal" },
      { method: "saveToLocal", args: ["x", null, JSON.parse(JSON.stringify(odd)) as never] },
    );
    await drainWith(place, { Worker });
    expect(seen).toEqual([
      ["instance", "default data"],
      ["instance", "x", null, JSON.parse(JSON.stringify(odd))],
    ]);
  });

  test("of another class goes to that class", async () => {
    const place = ground();
    const seen: string[] = [];
    class Worker {
      go(): void {
        seen.push("Worker");
      }
    }
    class Mailer {
      go(): void {
        seen.push("Mailer");
      }
    }
    await publish(place.broker, { method: "go" }, { method: "go", class: "Mailer" });
    await drainWith(place, { Worker, Mailer });
    expect(seen).toEqual(["Worker", "Mailer"]);
  });

  test("knows its id, queue and attempt, and can log a line", async () => {
    const place = ground();
    const seen: unknown[] = [];
    class Worker {
      async push(): Promise<void> {
        await Promise.resolve();
        const { id, queue, attempt, signal, log } = task();
        seen.push({ id, queue, attempt, aborted: signal.aborted });
        log("half way");
      }
    }
    const [id] = await publish(place.broker, { method: "push" });
    await drainWith(place, { Worker });
    expect(seen).toEqual([{ id, queue: "q", attempt: 1, aborted: false }]);
    expect(place.lines).toEqual([`${String(id)}: half way`]);
    expect(() => task()).toThrow("outside a handler");
  });

  test("may return anything that can be awaited, which works for the task", async () => {
    const place = ground();
    class Worker {
      query(): unknown {
        return {
          then: (resolve: (value: unknown) => void) => {
            const { id } = task();
            setTimeout(() => {
              resolve(`rows for ${id}`);
              resolve("again");
            }, 1);
          },
        };
      }
      lazy(): unknown {
        return Object.assign(() => 1, {
          then: (resolve: (value: unknown) => void) => {
            resolve("called");
          },
        });
      }
    }
    const [id] = await publish(place.broker, { method: "query" }, { method: "lazy" });
    await drainWith(place, { Worker });
    expect(told(place, "done").map(({ result }) => result)).toEqual([`rows for ${String(id)}`, "called"]);
  });
});

/** Ways to fail, each by the method that fails so. */
class Failing {
  readonly done: number[] = [];
  ok(): void {}
  throwText(): void {
    throw "no luck"; // eslint-disable-line @typescript-eslint/only-throw-error -- anything can be thrown
  }
  throwNothing(): void {
    throw undefined; // eslint-disable-line @typescript-eslint/only-throw-error -- anything can be thrown
  }
  throwNull(): void {
    throw null; // eslint-disable-line @typescript-eslint/only-throw-error -- anything can be thrown
  }
  throwObject(): void {
    throw { code: 5 }; // eslint-disable-line @typescript-eslint/only-throw-error -- anything can be thrown
  }
  throwHostile(index: number): void {
    throw HOSTILE[index]?.[1];
  }
  async rejectHostile(index: number): Promise<void> {
    await Promise.resolve();
    throw HOSTILE[index]?.[1];
  }
  async reject(): Promise<void> {
    await Promise.reject(new Error("no luck"));
  }
  thenThrows(): unknown {
    return {
      then: () => {
        throw new Error("then threw");
      },
    };
  }
  thenGetterThrows(): unknown {
    return {
      get then(): never {
        throw new Error("then threw");
      },
    };
  }
  thenThrowsLater(): unknown {
    let reads = 0;
    return {
      get then() {
        if (++reads > 1) throw new Error("then threw");
        return (): void => undefined;
      },
    };
  }
  thenRejectsAndThrows(): unknown {
    return {
      then: (_: unknown, reject: (error: unknown) => void) => {
        reject(new Error("then threw"));
        throw new Error("again");
      },
    };
  }
  overflow(): void {
    this.overflow();
  }
}

describe("a task that fails", () => {
  const ways: [string, number[], RegExp][] = [
    ["throwText", [], /^no luck$/],
    ["throwNothing", [], /^threw undefined$/],
    ["throwNull", [], /^threw null$/],
    ["throwObject", [], /^threw \{"code":5\}$/],
    ["reject", [], /^no luck$/],
    ["thenThrows", [], /^then threw$/],
    ["thenGetterThrows", [], /^then threw$/],
    ["thenThrowsLater", [], /^then threw$/],
    ["thenRejectsAndThrows", [], /^then threw$/],
    ["overflow", [], /call stack/],
    ...HOSTILE.flatMap((_one, index): [string, number[], RegExp][] => [
      ["throwHostile", [index], /./],
      ["rejectHostile", [index], /./],
    ]),
  ];

  test.each(ways)(
    "by %s(%j) is tried again, and costs its neighbours nothing",
    async (method, args, error) => {
      const place = ground();
      const [, id] = await publish(place.broker, { method: "ok" }, { method, args }, { method: "ok" });
      expect(await drainWith(place, { Failing })).toBe("due");
      expect(kinds(place).sort()).toEqual(["done", "done", "retry"]);
      expect(await place.broker.find(id ?? "")).toMatchObject({
        state: "delayed",
        attempts: 1,
        error: expect.stringMatching(error) as unknown,
      });
    },
  );

  test("is tried as often as its policy says, with its waits, then dead with its error", async () => {
    const place = ground();
    const [id] = await publish(place.broker, { method: "throwText" });
    const waits: number[] = [];
    for (let run = 0; run < 3; run++) {
      await drainWith(place, { Failing });
      const record = await place.broker.find(id ?? "");
      waits.push(Math.floor(((record?.at ?? 0) - place.clock.now()) / 10_000));
      await place.clock.advance(66_001);
    }
    expect(waits).toEqual([1, 6, 0]);
    expect(told(place, "retry").map(({ attempt }) => attempt)).toEqual([1, 2]);
    expect(told(place, "dead")).toMatchObject([{ attempt: 3, error: "no luck" }]);
    expect(await place.broker.find(id ?? "")).toMatchObject({ state: "dead", attempts: 3, error: "no luck" });
    expect(await drainWith(place, { Failing })).toBe("empty");
  });

  test("has its own retries and its method's before the queue's", async () => {
    const place = ground();
    class Worker {
      static tasks = { fail: { retry: "none" }, push: {} };
      fail(): void {
        throw new Error("no luck");
      }
      push(): void {
        throw new Error("no luck");
      }
    }
    await publish(place.broker, { method: "fail" }, { method: "push", retries: 0 }, { method: "push" });
    await drainWith(place, { Worker });
    expect(kinds(place)).toEqual(["dead", "dead", "retry"]);
  });
});

describe("a task that nobody can run", () => {
  test.each([
    [{ method: "psuh" }, 'class "Worker" has no method "psuh", did you mean "push"?'],
    [{ method: "push", class: "Wroker" }, 'there is no handler class "Wroker", did you mean "Worker"?'],
    [{ method: "constructor" }, 'class "Worker" has no method "constructor"'],
    [{ method: "__proto__" }, 'class "Worker" has no method "__proto__"'],
  ])("is dead at once: %j", async (call, why) => {
    const place = ground();
    const pushed: unknown[] = [];
    class Worker {
      push(index: unknown): void {
        pushed.push(index);
      }
    }
    const [, id] = await publish(place.broker, ...numbered("push", 1), call, ...numbered("push", 2));
    expect(await drainWith(place, { Worker })).toBe("empty");
    expect(pushed).toEqual([0, 0, 1]);
    expect(told(place, "dead")).toMatchObject([
      { task: { id }, error: { code: "HANDLER_UNKNOWN", message: why } },
    ]);
    expect(await place.broker.find(id ?? "")).toMatchObject({ state: "dead", attempts: 0, error: why });
  });
});

describe("a handler's verbs", () => {
  test("retryLater gives that many more runs at that interval, beyond the policy", async () => {
    const place = ground();
    let runs = 0;
    class Worker {
      push(): void {
        runs++;
        throw retryLater("closed", { times: 5, delay: "1m" });
      }
    }
    await publish(place.broker, { method: "push" });
    for (let minute = 0; minute < 8; minute++) {
      await drainWith(place, { Worker });
      await place.clock.advance(60_000);
    }
    expect(runs).toBe(6);
    expect(told(place, "retry").map(({ attempt }) => attempt)).toEqual([1, 2, 3, 4, 5]);
    expect(told(place, "dead")).toMatchObject([{ attempt: 6, error: { message: "closed" } }]);
  });

  test("giveUp makes it dead at once", async () => {
    const place = ground();
    class Worker {
      async push(): Promise<void> {
        await Promise.resolve();
        throw giveUp("no such user");
      }
    }
    const [id] = await publish(place.broker, { method: "push" });
    await drainWith(place, { Worker });
    expect(await place.broker.find(id ?? "")).toMatchObject({
      state: "dead",
      attempts: 1,
      error: "no such user",
    });
  });

  test.each([1, 3])(
    "pauseQueue hands back what was claimed, uncharged and in order, with %d at a time",
    async (concurrency) => {
      const place = ground();
      const runs: unknown[] = [];
      class Worker {
        async push(index: number): Promise<void> {
          runs.push(index);
          await Promise.resolve();
          if (index === 20) throw pauseQueue("too many requests", { for: "10m" });
        }
      }
      await publish(place.broker, ...numbered("push", 200));
      expect(await drainWith(place, { Worker }, { concurrency })).toBe("paused");
      expect(runs.length).toBeLessThan(20 + 2 * concurrency);
      const waiting = await argsIn(place.broker, "waiting");
      expect(waiting).toContain(20);
      expect(waiting).toHaveLength(200 - told(place, "done").length);
      expect(waiting).toEqual([...(waiting as number[])].sort((a, b) => a - b));
      const { tasks } = await place.broker.list("waiting", { limit: 200 });
      expect(tasks.every(({ attempts }) => attempts === 0)).toBe(true);
      expect(told(place, "handedBack")).toMatchObject([{ why: "too many requests (the queue is paused)" }]);
      expect(await drainWith(place, { Worker }, { concurrency })).toBe("paused");
      await place.clock.advance(600_000);
      expect(
        await drainWith(place, {
          Worker: class {
            push(): void {}
          },
        }),
      ).toBe("empty");
    },
  );
});
