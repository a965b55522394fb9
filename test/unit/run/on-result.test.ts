import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { giveUp, retryLater } from "../../../src/task/outcome.ts";
import { open, type Memq, type OpenOptions } from "../../../src/memq.ts";
import type { AttemptResult, OnResult } from "../../../src/run/on-result.ts";
import type { RunReport } from "../../../src/run/report.ts";
import type { RunEvent } from "../../../src/telemetry/events.ts";
import { HOSTILE } from "./hostile.ts";
import { gate } from "./ground.ts";

class Worker {
  push(name: string): string {
    return name;
  }
  later(): void {
    throw retryLater("busy", { times: 1, delay: 0 });
  }
  never(): void {
    throw giveUp("no such user");
  }
}
class Mailer {
  send(): void {}
}

let folder: string;
let memq: Memq | undefined;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "memq-on-result-"));
});
afterEach(async () => {
  vi.useRealTimers();
  await memq?.close();
  rmSync(folder, { recursive: true });
});

const opened = async (onResult?: OnResult, options: OpenOptions = {}, config = {}): Promise<Memq> =>
  (memq = await open(
    { store: folder, ...config },
    { handlers: { Worker, Mailer }, ...options, ...(onResult && { onResult }) },
  ));

const strays: unknown[] = [];
async function run(queue: Memq): Promise<RunReport> {
  strays.length = 0;
  const listener = (event: RunEvent): void => {
    if (event.kind === "stray") strays.push((event.error as Error).message);
  };
  return queue.run({ listener });
}

describe("the result callback", () => {
  test("is told topic, taskid, taskname, params, timeuse and message of each attempt, in this order", async () => {
    const told: AttemptResult[] = [];
    const queue = await opened((...result) => told.push(result));
    const done = await queue.publish("push", ["ann"]);
    const mail = await queue.publish("send", [], { class: "Mailer" });
    const own = await queue.publish("push", ["bob"], { class: "Worker" });
    const dead = await queue.publish("never", [1, { a: 2 }]);
    const again = await queue.publish("later");
    const none = await queue.publish("nobody");
    await run(queue);
    expect(told).toHaveLength(7);
    const anyMs = expect.any(Number) as number;
    expect(told.filter(([, id]) => id !== again)).toEqual([
      ["default", done, "push", ["ann"], anyMs, "ok."],
      ["default", mail, "Mailer.send", [], anyMs, "ok."],
      ["default", own, "push", ["bob"], anyMs, "ok."],
      ["default", dead, "never", [1, { a: 2 }], -1, "no such user"],
      ["default", none, "nobody", [], -1, expect.stringContaining('no method "nobody"')],
    ]);
    expect(told.filter(([, id]) => id === again)).toEqual([
      ["default", again, "later", [], -1, "busy"],
      ["default", again, "later", [], -1, "busy"],
    ]);
    expect(told[0]?.[4]).toBeGreaterThanOrEqual(0);
  });

  test("is called when the outcome is recorded", async () => {
    const found: unknown[] = [];
    const queue = await opened(async (_topic, id) => {
      found.push((await (await queue.broker()).find(id))?.state);
    });
    await queue.publish("push", ["x"]);
    await queue.publish("never");
    await run(queue);
    expect(found).toEqual([undefined, "dead"]);
  });

  test.each(HOSTILE)("that throws %s harms no task, and is told", async (_name, hostile) => {
    const queue = await opened(() => {
      throw hostile;
    });
    await queue.publish("push", ["x"]);
    const report = await run(queue);
    expect(report.exit).toBe(0);
    expect(report.queues[0]).toMatchObject({ done: 1, retried: 0, dead: 0 });
    expect(strays).toEqual([expect.stringMatching(/^on-result: /)]);
  });

  test("may be asynchronous: the run ends when it has", async () => {
    const ended: string[] = [];
    const { opened: mayEnd, open: letEnd } = gate();
    const queue = await opened(async (_topic, id) => {
      await mayEnd;
      ended.push(id);
      throw new Error("no room");
    });
    const id = await queue.publish("push", ["x"]);
    const running = run(queue);
    setImmediate(letEnd);
    expect((await running).exit).toBe(0);
    expect(ended).toEqual([id]);
    expect(strays).toEqual(["on-result: no room"]);
  });

  test("that never ends is given up after ten seconds", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const called = gate();
    const queue = await opened(() => {
      called.open();
      return new Promise(() => undefined);
    });
    await queue.publish("push", ["x"]);
    let over = false;
    const running = run(queue).then(() => (over = true));
    await called.opened;
    await vi.advanceTimersByTimeAsync(9_900);
    expect(over).toBe(false);
    await vi.advanceTimersByTimeAsync(200);
    await running;
    expect(strays).toEqual(["on-result: it took longer than 10s"]);
  });

  test("that is slow holds up the claims: never more than a thousand and what one claim brings are under way", async () => {
    let underWay = 0;
    let most = 0;
    const queue = await opened(async () => {
      most = Math.max(most, ++underWay);
      await new Promise((resolve) => setTimeout(resolve, 20));
      underWay--;
    });
    await queue.publishMany(Array.from({ length: 6_000 }, () => ({ method: "push", args: ["x"] })));
    expect((await run(queue)).queues[0]).toMatchObject({ done: 6_000 });
    expect(underWay).toBe(0);
    expect(most).toBeGreaterThan(100);
    expect(most).toBeLessThanOrEqual(2_000);
  });
});

describe("an on-result module", () => {
  const write = (name: string, text: string): string => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  const SEEN = "globalThis.seenByOnResult = (globalThis.seenByOnResult ?? []).concat([told]);";

  test.each([
    ["its default export", `export default (...told) => { ${SEEN} }`],
    ["its export onResult", `export function onResult(...told) { ${SEEN} }`],
  ])("is called by %s", async (name, text) => {
    const path = write(`${name.length.toString()}.mjs`, text);
    const queue = await opened(undefined, {}, { "on-result": path });
    const id = await queue.publish("push", ["x"]);
    await run(queue);
    const shared = globalThis as { seenByOnResult?: unknown[] };
    expect(shared.seenByOnResult).toMatchObject([["default", id, "push", ["x"], {}, "ok."]]);
    delete shared.seenByOnResult;
  });

  test.each([
    ["is not there", undefined, /could not be loaded/],
    ["throws", "throw new TypeError('bad day')", /could not be loaded: TypeError: bad day/],
    ["exports no function", "export const onResult = 5", /exports no function/],
  ])("that %s fails its own queue before anything is claimed", async (name, text, message) => {
    const path = join(folder, `${name}.mjs`);
    if (text !== undefined) writeFileSync(path, text);
    const queue = await opened(undefined, {}, { queue: { report: { "on-result": path } } });
    await queue.publish("push", ["x"]);
    await queue.publish("push", ["y"], { queue: "report" });
    const { exit, queues } = await run(queue);
    expect(exit).toBe(78);
    expect(queues).toMatchObject([
      { queue: "default", done: 1 },
      { queue: "report", done: 0, left: undefined, failure: { code: "ON_RESULT_UNUSABLE" } },
    ]);
    expect(queues[1]?.failure?.message).toMatch(message);
    const task = (await (await queue.broker("report")).list("waiting", { limit: 1 })).tasks[0];
    expect(task).toMatchObject({ attempts: 0 });
  });
});
