import { execFile } from "node:child_process";
import { join } from "node:path";
import { exit as namedExit } from "node:process";
import { promisify } from "node:util";
import { build } from "esbuild";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { guardExit } from "../../../src/run/exit-guard.ts";
import { runQueuesGuarded, type QueueRun } from "../../../src/run/run.ts";
import { catchLateStrays, catchStrays } from "../../../src/run/strays.ts";
import { gate, ground, kinds, partsOf, publish, told, until, type Ground } from "./ground.ts";

const SRC = join(import.meta.dirname, "../../../src/run");

const queueOf = (
  place: Ground,
  handlers: Readonly<Record<string, unknown>>,
  wishes: Partial<QueueRun> = {},
): QueueRun => {
  const { broker, ...parts } = partsOf(place, handlers);
  return { ...parts, queue: broker.queue, open: () => Promise.resolve(broker), ...wishes };
};

// The test runner has listeners of its own, which take a stray error for a failed test.
const EVENTS = ["uncaughtException", "unhandledRejection"] as const;
const theirs = new Map<string, ((...args: unknown[]) => void)[]>();
beforeEach(() => {
  for (const event of EVENTS) {
    theirs.set(event, process.listeners(event as "uncaughtException") as ((...args: unknown[]) => void)[]);
    process.removeAllListeners(event);
  }
});
afterEach(() => {
  for (const event of EVENTS) {
    expect(process.listenerCount(event)).toBe(0); // the run has taken its own away
    for (const listener of theirs.get(event) ?? []) process.on(event, listener);
  }
});

describe("process.exit in a handler", () => {
  // The test runner replaces process.exit: what counts is that nobody gets to it.
  test("fails that one attempt, however it is reached", async () => {
    const place = ground();
    const run: string[] = [];
    class Worker {
      exits(): void {
        process.exit(3);
      }
      async later(): Promise<void> {
        await new Promise((resolve) => setTimeout(resolve, 1));
        process.exit();
      }
      byName(): void {
        namedExit("7");
      }
      ok(): void {
        run.push("ok");
      }
    }
    await publish(
      place.broker,
      ...["exits", "ok", "later", "ok", "byName", "ok"].map((method) => ({ method })),
    );
    const report = await runQueuesGuarded([queueOf(place, { Worker })]);
    expect(report).toMatchObject({ exit: 0, queues: [{ done: 3, retried: 3, ended: "due" }] });
    expect(told(place, "retry").map(({ error }) => (error as Error).message)).toEqual(
      ["3", "", "7"].map((code) => `the handler called process.exit(${code})`),
    );
  });

  test("under a name that was imported throws too", async () => {
    // Node's own imports are copies; those of the test runner are not.
    const entry = (name: string): string => `export * from ${JSON.stringify(join(SRC, name))};`;
    const { outputFiles } = await build({
      stdin: { contents: entry("exit-guard.ts") + entry("task-context.ts"), resolveDir: SRC },
      bundle: true,
      platform: "node",
      format: "esm",
      write: false,
    });
    const script = `${outputFiles[0]?.text ?? ""}
      import { exit } from "node:process";
      const restore = guardExit();
      try {
        contextStore().run({ queue: "q", running: undefined }, () => exit(3));
      } catch (error) {
        console.log(error.message);
      }
      restore();
      exit(4);`;
    const ended = promisify(execFile)(process.execPath, ["--input-type=module", "-e", script], {
      timeout: 20_000,
    });
    await expect(ended).rejects.toMatchObject({ code: 4, stdout: "the handler called process.exit(3)\n" });
  });

  test("in its constructor is a handler that cannot be had", async () => {
    const place = ground();
    class Worker {
      constructor() {
        process.exit(0);
      }
      push(): void {}
    }
    await publish(place.broker, { method: "push" });
    const report = await runQueuesGuarded([queueOf(place, { Worker })]);
    expect(report).toMatchObject({
      exit: 78,
      queues: [
        { ended: "failed", failure: { message: "new Worker() failed: the handler called process.exit(0)" } },
      ],
    });
  });

  test("when it is closed ends nothing", async () => {
    const place = ground();
    class Worker {
      push(): void {}
      close(): void {
        process.exit(0);
      }
    }
    await publish(place.broker, { method: "push" });
    expect(await runQueuesGuarded([queueOf(place, { Worker })])).toMatchObject({
      queues: [{ done: 1, ended: "empty" }],
    });
    expect(told(place, "stray")).toMatchObject([
      { error: { message: "Worker could not be closed: the handler called process.exit(0)" } },
    ]);
  });

  test("is the real one outside handlers and after the run", () => {
    const runners = process.exit; // eslint-disable-line @typescript-eslint/unbound-method -- to be put back as it was
    const codes: unknown[] = [];
    const mine = (code: unknown): never => {
      codes.push(code);
      return undefined as never;
    };
    process.exit = mine;
    try {
      const restore = guardExit();
      expect(Reflect.get(process, "exit")).not.toBe(mine);
      process.exit(5);
      restore();
      expect(Reflect.get(process, "exit")).toBe(mine);
      expect(codes).toEqual([5]);
    } finally {
      process.exit = runners;
    }
  });
});

describe("an error that a handler lets loose", () => {
  test("in a timer, after its task has ended, is told and costs no task anything", async () => {
    const place = ground();
    const other = ground("other");
    class Worker {
      loose(): void {
        setTimeout(() => {
          throw new Error("loose");
        }, 1);
      }
      async ok(): Promise<void> {
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    }
    await publish(place.broker, { method: "loose" }, { method: "ok" });
    await publish(other.broker, { method: "ok" });
    const report = await runQueuesGuarded([queueOf(other, { Worker }), queueOf(place, { Worker })]);
    expect(report).toMatchObject({ exit: 0, queues: [{ done: 1 }, { done: 2 }] });
    expect(told(place, "stray")).toMatchObject([{ queue: "q", error: { message: "loose" } }]);
    expect(kinds(other)).toEqual(["done"]);
  });

  test("while its task is under way fails that task, and no other", async () => {
    const place = ground();
    class Worker {
      async loose(): Promise<void> {
        setTimeout(() => {
          throw new Error("loose");
        }, 1);
        await new Promise(() => undefined);
      }
      async ok(): Promise<void> {
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    }
    const [id] = await publish(place.broker, { method: "loose" }, { method: "ok" }, { method: "ok" });
    const report = await runQueuesGuarded([{ ...queueOf(place, { Worker }), concurrency: 3 }]);
    expect(report).toMatchObject({ queues: [{ done: 2, retried: 1 }] });
    expect(told(place, "retry")).toMatchObject([{ task: { id }, error: { message: "loose" } }]);
  });

  test("as a promise that nobody awaits is told", async () => {
    const place = ground();
    class Worker {
      async forget(): Promise<void> {
        void Promise.reject(new Error("forgotten"));
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    }
    await publish(place.broker, { method: "forget" });
    await runQueuesGuarded([queueOf(place, { Worker })]);
    expect(told(place, "stray")).toMatchObject([{ queue: "q", error: { message: "forgotten" } }]);
  });

  test("may be anything", async () => {
    const place = ground();
    const { opened, open } = gate();
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    class Worker {
      async loose(): Promise<void> {
        for (const thrown of [proxy, undefined, "text"]) {
          setTimeout(() => {
            throw thrown; // eslint-disable-line @typescript-eslint/only-throw-error -- anything can be thrown
          });
        }
        await opened;
      }
    }
    await publish(place.broker, { method: "loose" });
    const running = runQueuesGuarded([queueOf(place, { Worker })]);
    await until(() => told(place, "retry").length === 1);
    open();
    await running;
    expect(
      told(place, "stray").map(({ error }) => (error instanceof Error ? error.message : error)),
    ).toContain("threw a value that cannot be shown");
  });

  test("outside any handler is told to the first queue", () => {
    const place = ground();
    const release = catchStrays([{ queue: "q", tell: (event) => place.events.push(event) }]);
    process.emit("uncaughtException", new Error("nobody's"));
    release();
    expect(told(place, "stray")).toMatchObject([{ queue: "q", error: { message: "nobody's" } }]);
  });
});

test("what handlers left behind is told once nobody else catches it", () => {
  const [late, caught]: [unknown[], unknown[]] = [[], []];
  const releaseLate = catchLateStrays((error) => late.push(error));
  const release = catchStrays([{ queue: "q", tell: (event) => caught.push(event.kind) }]);
  const emit = (error: Error): boolean => process.emit("uncaughtException", error);
  emit(new Error("beside"));
  release();
  const after = new Error("after");
  emit(after);
  releaseLate();
  expect([late, caught]).toEqual([[after], ["stray"]]);
});
