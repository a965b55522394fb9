import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { MemqError } from "../../../src/errors.ts";
import { open, type Memq } from "../../../src/memq.ts";
import type { TaskRecord } from "../../../src/task/task.ts";

let folder: string;
let memq: Memq;
const given: unknown[] = [];
class Worker {
  confirmOrder(...args: unknown[]): void {
    given.push(["confirmOrder", ...args]);
  }
  closeOrder(): void {}
}
class Mailer {
  send(...args: unknown[]): void {
    given.push(["Mailer.send", ...args]);
  }
}

beforeEach(async () => {
  given.length = 0;
  folder = mkdtempSync(join(tmpdir(), "memq-events-"));
  memq = await open(
    {
      store: folder,
      queue: {
        mail: { classname: "Mailer" },
        small: { "max-size": "100B" },
        far: { store: join(folder, "far") },
      },
      event: {
        order_create: { task: ["confirmOrder", "send @mail", "closeOrder after 20m"] },
        paid: { on: "*.*.paid", task: "confirmOrder" },
        too_big: { task: ["confirmOrder", "closeOrder @small"] },
        both: { task: ["confirmOrder", "closeOrder @far", "closeOrder @mail"] },
      },
    },
    { handlers: { Worker, Mailer } },
  );
});
afterEach(async () => {
  await memq.close();
  rmSync(folder, { recursive: true });
});

const tasksIn = async (
  queue: string,
  state: "waiting" | "delayed" = "waiting",
): Promise<readonly TaskRecord[]> => (await (await memq.broker(queue)).list(state, { limit: 100 })).tasks;

describe("an event", () => {
  test("becomes a task for each who listens, in order, with what it says and its name", async () => {
    const emission = await memq.emit("order_create", { order_id: "FB138" });
    expect(emission).toEqual({
      event: "order_create",
      tasks: [
        { id: expect.any(String) as string, queue: "default", method: "confirmOrder" },
        { id: expect.any(String) as string, queue: "mail", method: "send" },
        { id: expect.any(String) as string, queue: "default", method: "closeOrder" },
      ],
    });
    const [delayed] = await tasksIn("default", "delayed");
    expect(delayed?.id).toBe(emission.tasks[2]?.id);
    expect((delayed?.at ?? 0) - Date.now()).toBeGreaterThan(1_199_000);
    expect((await tasksIn("default")).map(({ task }) => task?.key)).toEqual([undefined]);
    await memq.run();
    expect(new Set(given.map((args) => JSON.stringify(args)))).toEqual(
      new Set([
        '["confirmOrder",{"order_id":"FB138"},"order_create"]',
        '["Mailer.send",{"order_id":"FB138"},"order_create"]',
      ]),
    );
  });

  test("is heard by the patterns that stand for it", async () => {
    const { tasks } = await memq.emit("trade.7.paid");
    expect(tasks).toMatchObject([{ method: "confirmOrder" }]);
    await expect(memq.emit("trade.paid")).rejects.toMatchObject({ code: "EVENT_UNHEARD" });
  });

  test("that nobody listens to is an error, with what was meant", async () => {
    await expect(memq.emit("order_craete")).rejects.toMatchObject({
      code: "EVENT_UNHEARD",
      message: 'nobody listens to event "order_craete", did you mean "order_create"?',
    });
    await expect(memq.emit("")).rejects.toMatchObject({ code: "EVENT_UNHEARD" });
  });

  test("of which one task cannot be kept publishes none", async () => {
    await expect(memq.emit("too_big", { text: "x".repeat(200) })).rejects.toMatchObject({
      code: "TASK_TOO_LARGE",
    });
    expect(await tasksIn("default")).toEqual([]);
  });

  test("under a key publishes only what is not there", async () => {
    const first = await memq.emit("order_create", {}, { key: "FB138" });
    expect(first.key).toBe("FB138");
    const [confirm] = first.tasks;
    await (await memq.broker()).cancel(confirm?.id ?? "");
    const second = await memq.emit("order_create", {}, { key: "FB138" });
    expect(second.tasks.map(({ duplicate }) => duplicate)).toEqual([undefined, true, true]);
    expect(second.tasks.slice(1).map(({ id }) => id)).toEqual(first.tasks.slice(1).map(({ id }) => id));
    expect((await tasksIn("mail")).map(({ task }) => task?.key)).toEqual([
      expect.stringMatching(/^event:order_create#FB138#[\w-]{16}$/),
    ]);
  });

  test("under a key names each task by what it is, wherever it stands by then", async () => {
    const other = async (...tasks: string[]): Promise<(string | undefined)[]> => {
      await using again = await open(
        { store: folder, event: { paid: { task: tasks } } },
        { handlers: { Worker } },
      );
      const emission = await again.emit("paid", {}, { key: "k" });
      return emission.tasks.map(({ method, duplicate }) => (duplicate ? undefined : method));
    };
    expect(await other("confirmOrder", "closeOrder", "confirmOrder", "closeOrder after 20m")).toEqual([
      "confirmOrder",
      "closeOrder",
      "confirmOrder",
      "closeOrder",
    ]);
    const reordered = [
      "closeOrder after 20m",
      "confirmOrder after 1h",
      "confirmOrder",
      "confirmOrder",
      "closeOrder",
    ];
    const nothing = undefined;
    expect(await other(...reordered)).toEqual([nothing, "confirmOrder", nothing, nothing, nothing]);
  });

  test("under the key of another event is another event", async () => {
    await memq.emit("order_create", {}, { key: "FB138" });
    const { tasks } = await memq.emit("trade.7.paid", {}, { key: "FB138" });
    expect(tasks).toEqual([{ id: expect.any(String) as string, queue: "default", method: "confirmOrder" }]);
    expect(await tasksIn("default")).toHaveLength(2);
  });

  test("that goes to several stores names the key to emit it again with, when it fails half-way", async () => {
    const far = await memq.broker("far");
    const publish = far.publish.bind(far);
    far.publish = () => Promise.reject(new MemqError("STORE_FULL", "the disk is full"));
    const { code, message } = await memq.emit("both").then(
      () => new MemqError("BUG", "it was emitted"),
      (error: unknown) => error as MemqError,
    );
    const [, key = ""] = /emit it again with the key (\w+)\)/.exec(message) ?? [];
    expect(code).toBe("STORE_FULL");
    expect(message).toContain("the disk is full (at least 1 of the event's 3 tasks are kept");
    far.publish = publish;
    const { tasks } = await memq.emit("both", {}, { key });
    expect(tasks.map(({ duplicate }) => duplicate)).toEqual([true, undefined, undefined]);
    for (const queue of ["default", "far", "mail"]) expect(await tasksIn(queue)).toHaveLength(1);
  });

  test.each([
    [["order_create", [1]], "ARGS_INVALID"],
    [["order_create", { a: undefined }], "ARGS_INVALID"],
    [["order_create", {}, { key: "" }], "ARGS_INVALID"],
    [["order_create", {}, { key: "x".repeat(201) }], "ARGS_INVALID"],
    [["order_create", {}, { kye: "x" }], "USAGE"],
    [["order.*"], "ARGS_INVALID"],
    [[5], "ARGS_INVALID"],
  ])("that cannot be one is refused: %j", async (args, code) => {
    await expect(memq.emit(...(args as [string]))).rejects.toMatchObject({ code });
    expect(await tasksIn("default")).toEqual([]);
  });
});

describe("a program", () => {
  test("listens besides, behind what config.ini says", async () => {
    memq.on("order_create", "Worker.closeOrder @mail", "closeOrder");
    memq.on("#", "confirmOrder");
    const { tasks } = await memq.emit("order_create");
    expect(tasks.map(({ method, queue }) => `${method} ${queue}`)).toEqual([
      "confirmOrder default",
      "send mail",
      "closeOrder default",
      "closeOrder mail",
      "closeOrder default",
      "confirmOrder default",
    ]);
    expect((await memq.emit("")).tasks).toMatchObject([{ method: "confirmOrder" }]);
  });

  test.each([
    [["a"], "USAGE"],
    [["a", "closeOrder @nowhere"], "USAGE"],
    [["a", "closeOrder after"], "CALL_INVALID"],
    [["a", "closeOrder after 5 x"], "CALL_INVALID"],
    [["a", "closeOrder after 5x"], "ARGS_INVALID"],
    [["a", 5], "USAGE"],
    [["a*", "closeOrder"], "USAGE"],
    [[5, "closeOrder"], "USAGE"],
  ])("that listens in a way that cannot be is told at once: %j", (args, code) => {
    expect(() => {
      memq.on(...(args as [string]));
    }).toThrow(expect.objectContaining({ code }) as Error);
  });
});
