import { afterEach, beforeEach, expect, test } from "vitest";
import { main } from "../../../../src/cli/memq.ts";
import { makeFolder, type Folder } from "../fake-io.ts";

let folder: Folder;
beforeEach(() => {
  folder = makeFolder("");
});
afterEach(() => folder.remove());

const check = (...words: string[]): ReturnType<Folder["say"]> => folder.say(main, ["check", ...words]);

test("check shows the classes and the methods that can be called", async () => {
  expect(await check()).toEqual({
    code: 0,
    out:
      `queue default: embedded store at ${folder.path}/memq-data\n` +
      `  Worker: fail, greet, saveToLocal\n` +
      `  tasks: none is waiting or delayed\n`,
    err: "Everything is in order.\n",
  });
});

test("tasks that could not be run are told, with what was meant", async () => {
  const memq = await folder.memq();
  await memq.publish("greet", ["x"]);
  const first = await memq.publish("gret", ["x"]);
  await memq.publish("gret", ["y"], { delay: "1h" });
  await memq.publish("greet", ["x"], { class: "Wroker" });
  const { code, out, err } = await check();
  expect(code).toBe(78);
  expect(out).toContain("tasks: 4 waiting or delayed, 3 cannot be run");
  expect(err).toContain(
    `queue "default": 2 tasks cannot be run: class "Worker" has no method "gret", did you mean "greet"? (e.g. task ${first})`,
  );
  expect(err).toContain(`1 task cannot be run: there is no handler class "Wroker", did you mean "Worker"?`);
  expect(err).toContain("2 problems found.");
  const depth = await (await memq.broker()).depth();
  expect([depth.waiting, depth.delayed]).toEqual([3, 1]);
});

test("a long queue is looked at in part, and that is said", async () => {
  const memq = await folder.memq();
  await memq.publishMany(Array.from({ length: 1_001 }, () => ({ method: "greet" })));
  expect((await check()).out).toContain("tasks: the oldest 1000, all can be run");
  const { queues } = JSON.parse((await check("--json")).out) as { queues: Record<string, unknown>[] };
  expect(queues[0]).toMatchObject({ tasks: { seen: 1_000, sample: true, unrunnable: [] } });
});

test("all faults of the configuration are told at once", async () => {
  folder.write("config.ini", "queueprot = 1\ntimeout = 60 sec\n");
  const { code, err } = await check();
  expect(code).toBe(78);
  expect(err).toContain("queueprot");
  expect(err).toContain("60 sec");
});

test("a wrong section is told, and the sound queues are checked", async () => {
  folder.write("config.ini", "[queue.push]\ntiemout = 5s\n");
  const { code, out, err } = await check();
  expect(code).toBe(78);
  expect(err).toContain("tiemout");
  expect(out).toContain("Worker: fail, greet, saveToLocal");
});

test("the problems at the end are as many as were told", async () => {
  folder.write("config.ini", "[queue.push]\ntiemout = 5s\nretry = x\n[queue.mail]\nhandlers = ./none.mjs\n");
  const { err } = await check();
  expect(err).toContain("2 problems in config.ini:");
  expect(err).toMatch(/\n3 problems found\.\n$/);
});

test("a handler that cannot be loaded is told, the other queues are checked", async () => {
  folder.write("broken.mjs", "throw new TypeError(`bad day`);");
  folder.write("config.ini", "[queue.push]\nhandlers = ./broken.mjs\n[queue.mail]\nclassname = Mail\n");
  const { code, out, err } = await check();
  expect(code).toBe(78);
  expect(err).toMatch(/queue "push": .*broken\.mjs could not be loaded: TypeError: bad day/);
  expect(err).toMatch(/queue "mail": classname = Mail is not among the handler classes/);
  expect(out).toContain("queue default:");
  expect(err).toContain("2 problems found.");
});

test("--json tells programs the same", async () => {
  await (await folder.memq()).publish("gret");
  const { code, out } = await check("--json");
  expect(code).toBe(78);
  expect(JSON.parse(out)).toMatchObject({
    ok: false,
    queues: [
      {
        queue: "default",
        broker: { kind: "embedded" },
        classes: { Worker: ["fail", "greet", "saveToLocal"] },
        tasks: { seen: 1, sample: false, unrunnable: [{ count: 1 }] },
        errors: [],
      },
    ],
  });
});

test("a class that cannot be made is found out, as a run would", async () => {
  folder.write(
    "handlers/worker.mjs",
    `export default class Worker { constructor() { throw new Error("no key"); } greet() {} }`,
  );
  const { code, err } = await check();
  expect(code).toBe(78);
  expect(err).toContain("new Worker() failed: no key");
});

test("what check makes it also closes", async () => {
  folder.write(
    "handlers/worker.mjs",
    `export default class Worker { greet() {} close() { throw new Error("was closed"); } }`,
  );
  expect((await check()).err).toContain("Worker could not be closed: was closed");
});

test("an on-result module that cannot be used is found out", async () => {
  folder.write("report.mjs", "export const nothing = 1;\n");
  folder.write("config.ini", "on-result = ./report.mjs\n");
  const { code, err } = await check();
  expect(code).toBe(78);
  expect(err).toMatch(/on-result: .*report\.mjs exports no function.*\[ON_RESULT_UNUSABLE\]/);
});
