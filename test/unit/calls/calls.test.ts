import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Completion, Progress } from "../../../src/index.ts";
import type { ConfigInput } from "../../../src/config/load.ts";
import { open, type Memq } from "../../../src/memq.ts";
import { task } from "../../../src/run/task-context.ts";
import { giveUp } from "../../../src/task/outcome.ts";
import type { Json } from "../../../src/task/task.ts";

let finish: (() => void) | undefined;

class Worker {
  sum(from: number, to: number): number {
    return ((from + to) * (to - from + 1)) / 2;
  }
  echo(value: Json): Json {
    return value;
  }
  nothing(): void {}
  today(): unknown {
    return { at: new Date(0) };
  }
  large(): string {
    return "x".repeat(60_000);
  }
  fail(words: string): void {
    throw giveUp(words);
  }
  async slowly(): Promise<string> {
    task().progress(0, 3);
    task().progress(1, 3);
    task().progress(Number.NaN);
    await new Promise<void>((resolve) => (finish = resolve));
    return "at last";
  }
}

let folder: string;
let memq: Memq;

const opened = (settings: ConfigInput = {}): Promise<Memq> =>
  open({ store: folder, "max-size": "50KB", ...settings }, { handlers: { Worker } });

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "memq-calls-"));
  memq = await opened();
});
afterEach(async () => {
  await memq.close();
  rmSync(folder, { recursive: true });
});

/** What it comes to, with a run as soon as the call is published. */
async function runFor<T>(outcome: Promise<T>, concurrency = 1): Promise<T> {
  const broker = await memq.broker();
  await broker.wait(Date.now() + 10_000, new AbortController().signal);
  await memq.run({ concurrency });
  return outcome;
}

const code = (name: string, words = ""): object => ({
  code: name,
  message: expect.stringContaining(words) as string,
});

describe("a call", () => {
  test.each<[Json]>([[5_050], ["王 🎈"], [null], [[1, { a: [] }]], [""]])(
    "gives what its method returns: %j",
    async (value) => {
      expect(await runFor(memq.call("echo", [value]))).toEqual(value);
    },
  );

  test("of a method that returns nothing gives nothing", async () => {
    expect(await runFor(memq.call("nothing"))).toBeUndefined();
  });

  test("that becomes a dead letter rejects with the handler's words", async () => {
    const call = memq.call("fail", ["no such user"]);
    call.catch(() => undefined);
    await expect(runFor(call)).rejects.toMatchObject({
      code: "TASK_FAILED",
      message: "no such user",
      exit: 1,
    });
  });

  test("of a method that is not there rejects", async () => {
    const call = memq.call("missing");
    call.catch(() => undefined);
    await expect(runFor(call)).rejects.toMatchObject(code("TASK_FAILED", "missing"));
  });

  test.each([
    ["today", "its value.at is a Date"],
    ["large", "its value takes 600"],
  ])("of %s, whose value cannot be kept, says why", async (method, why) => {
    const call = memq.call(method);
    call.catch(() => undefined);
    await expect(runFor(call)).rejects.toMatchObject(code("RESULT_OMITTED", why));
  });

  test("that takes too long rejects, and the task is run all the same", async () => {
    await expect(memq.call("sum", [1, 100], { wait: 50 })).rejects.toMatchObject(
      code("WAIT_TIMEOUT", "within 50ms: it waits to be run"),
    );
    expect(await memq.run()).toMatchObject({ queues: [{ done: 1 }] });
  });

  test("whose queue does not answer when the time is over waits no longer", async () => {
    const broker = await memq.broker();
    broker.find = () => new Promise(() => undefined);
    const startedAtMs = performance.now();
    await expect(memq.call("sum", [1, 100], { wait: 50 })).rejects.toMatchObject(
      code("WAIT_TIMEOUT", "within 50ms: nobody knows where it is, as its queue does not answer"),
    );
    expect(performance.now() - startedAtMs).toBeLessThan(10_000);
  });

  test("that waits when the configuration is closed rejects, and so does a group", async () => {
    const closed = { ...code("USAGE", "was closed while a result was waited for") };
    const call = memq.call("sum", [1, 2], { wait: "20s" });
    const group = memq.group().add("sum", [1, 3]).run({ wait: "20s" });
    const ended = Promise.all([
      expect(call).rejects.toMatchObject(closed),
      expect(group).rejects.toMatchObject(closed),
    ]);
    const broker = await memq.broker();
    await expect.poll(async () => (await broker.depth()).waiting).toBe(2);
    await memq.close();
    await ended;
    memq = await opened();
    expect(await (await memq.broker()).depth()).toMatchObject({ waiting: 2 });
  });

  test("whose task is cancelled rejects", async () => {
    const call = memq.call("sum", [1, 2], { key: "k" });
    call.catch(() => undefined);
    const broker = await memq.broker();
    await broker.wait(Date.now() + 10_000, new AbortController().signal);
    await broker.cancel((await broker.findKey("k"))?.id ?? "");
    await expect(call).rejects.toMatchObject({ code: "TASK_GONE", exit: 65 });
  });

  test("of no time, or a misspelt option, is refused before it is published", async () => {
    await expect(memq.call("sum", [1, 2], { wait: 0 })).rejects.toMatchObject(
      code("ARGS_INVALID", "longer than 0"),
    );
    for (const wait of [Infinity, Number.NaN, -1, "soon"])
      await expect(memq.call("sum", [1, 2], { wait })).rejects.toMatchObject({
        ...code(
          "ARGS_INVALID",
          `${JSON.stringify(wait) === "null" ? String(wait) : JSON.stringify(wait)} is not a duration`,
        ),
        next: "Correct the time that is named; the call itself is fine.",
      });
    const misspelt = { wiat: 5 } as never;
    await expect(memq.call("sum", [1, 2], misspelt)).rejects.toMatchObject(
      code("USAGE", 'unknown option "wiat", did you mean "wait"?'),
    );
    await expect(memq.group().add("sum", [1, 2]).run(misspelt)).rejects.toMatchObject(code("USAGE", "wiat"));
    await expect(memq.result("1-1", misspelt)).rejects.toMatchObject(code("USAGE", "wiat"));
    for (const options of [null, 30] as never[]) {
      const refused = code("USAGE", "every option is in an object");
      await expect(memq.call("sum", [1, 2], options)).rejects.toMatchObject(refused);
      await expect(memq.emit("any", {}, options)).rejects.toMatchObject(refused);
    }
    for (const id of [undefined, 7, ""] as never[])
      await expect(memq.result(id)).rejects.toMatchObject(code("ARGS_INVALID", "the id of a task is a text"));
    expect(await (await memq.broker()).depth()).toMatchObject({ waiting: 0 });
  });

  test("is told how far its task is", async () => {
    const told: Progress[] = [];
    const call = memq.call("slowly", [], {
      onProgress: (progress) => {
        told.push(progress);
        finish?.();
      },
    });
    expect(await runFor(call)).toBe("at last");
    expect(told[0]).toMatchObject({ total: 3 });
    expect(told.every(({ done }) => done === 0 || done === 1)).toBe(true);
  });

  test("ends with what its listener throws", async () => {
    const call = memq.call("slowly", [], {
      onProgress: () => {
        finish?.();
        throw new Error("listener");
      },
    });
    call.catch(() => undefined);
    await expect(runFor(call)).rejects.toThrow("listener");
  });
});

describe("a result", () => {
  test("of a task in the background is asked for later, by its id", async () => {
    const id = await memq.publish("sum", [1, 100], { keepResult: "1h" });
    await memq.run();
    expect(await memq.result(id, { wait: "1s" })).toBe(5_050);
    expect(await memq.result(id, { wait: "1s" })).toBe(5_050);
  });

  test("is kept of every task where the queue says so, and of none where it does not", async () => {
    const id = await memq.publish("sum", [1, 100]);
    await memq.run();
    await expect(memq.result(id, { wait: "1s" })).rejects.toMatchObject(code("TASK_GONE", id));
    await memq.close();
    memq = await opened({ results: "1h" });
    const kept = await memq.publish("sum", [1, 100]);
    await memq.run();
    expect(await memq.result(kept, { wait: "1s" })).toBe(5_050);
  });
});

describe("a group", () => {
  test("tells each completion in the order of their ends, and gives all in the order of adding", async () => {
    const told: Completion[] = [];
    const group = memq.group().add("sum", [1, 100]).add("fail", ["no"]).add("sum", [1, 200]).add("echo");
    group.onComplete(async (completion) => {
      await Promise.resolve();
      told.push(completion);
    });
    const completions = await runFor(group.run());
    expect(completions).toMatchObject([
      { method: "sum", args: [1, 100], result: 5_050 },
      { method: "fail", error: { code: "TASK_FAILED", message: "no" } },
      { method: "sum", args: [1, 200], result: 20_100 },
      { method: "echo", args: [] },
    ]);
    expect(new Set(completions.map(({ id }) => id)).size).toBe(4);
    expect(told.map(({ args }) => args)).toEqual(completions.map(({ args }) => args));
  });

  test("completes a call that is refused with its error, and makes the others", async () => {
    const lossy = [Number.NaN] as const;
    const completions = await runFor(memq.group().add("sum", lossy).add("sum", [1, 2]).run());
    expect(completions).toMatchObject([{ error: { code: "ARGS_INVALID" } }, { result: 3 }]);
    expect(completions[0]).not.toHaveProperty("id");
    expect(JSON.parse(JSON.stringify(completions[0]?.error))).toMatchObject(code("ARGS_INVALID", "NaN"));
  });

  test("completes what has not ended in time with an error, and leaves the tasks", async () => {
    const completions = await memq.group().add("sum", [1, 2]).add("sum", [1, 3]).run({ wait: 50 });
    expect(completions).toMatchObject([
      { error: { code: "WAIT_TIMEOUT" } },
      { error: { code: "WAIT_TIMEOUT" } },
    ]);
    expect(await (await memq.broker()).depth()).toMatchObject({ waiting: 2 });
  });

  test("of calls with one key is one task, whose result all of them have", async () => {
    const group = memq.group().add("sum", [1, 2], { key: "k" }).add("sum", [1, 9], { key: "k" });
    expect(await runFor(group.run())).toMatchObject([{ result: 3 }, { result: 3 }]);
  });

  test("goes to several queues", async () => {
    await memq.close();
    memq = await opened({ queue: { other: {} } });
    const running = memq.group().add("sum", [1, 2]).add("sum", [1, 3], { queue: "other" }).run();
    expect(await runFor(running)).toMatchObject([{ result: 3 }, { result: 6 }]);
  });

  test("ends with what a listener throws", async () => {
    const running = memq
      .group()
      .add("sum", [1, 2])
      .add("sum", [1, 3])
      .onComplete(() => {
        throw new Error("listener");
      })
      .run();
    running.catch(() => undefined);
    await expect(runFor(running)).rejects.toThrow("listener");
  });

  test("refuses a listener that cannot be called before it makes a call", async () => {
    const group = memq.group().add("sum", [1, 2]);
    expect(() => group.onComplete(42 as never)).toThrow(
      expect.objectContaining(code("USAGE", "onComplete takes a function, not number")),
    );
    expect(await (await memq.broker()).depth()).toMatchObject({ waiting: 0 });
  });

  test("of nothing completes at once", async () => {
    expect(await memq.group().run()).toEqual([]);
  });
});
