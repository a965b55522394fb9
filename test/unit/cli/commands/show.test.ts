import { afterEach, beforeEach, expect, test } from "vitest";
import { main } from "../../../../src/cli/memq.ts";
import type { Memq } from "../../../../src/memq.ts";
import { makeFolder, type Folder } from "../fake-io.ts";

let folder: Folder;
let memq: Memq;
beforeEach(async () => {
  folder = makeFolder("[queue.push]\n");
  memq = await folder.memq();
});
afterEach(() => folder.remove());

const show = (...words: string[]): ReturnType<Folder["say"]> => folder.say(main, ["show", ...words]);

test("show tells everything about a task, in whatever queue it is", async () => {
  const options = { queue: "push", key: "order:42", retries: 2, timeout: "90s", delay: "1h" };
  const id = await memq.publish("greet", ["Ann", { a: [1] }], options);
  const { code, out } = await show(id);
  expect(code).toBe(0);
  const fields = new Map(out.split("\n").map((line) => [line.slice(0, 11).trim(), line.slice(11)]));
  expect(Object.fromEntries(fields)).toMatchObject({
    id,
    queue: "push",
    task: `Worker.greet("Ann", {"a":[1]})`,
    attempts: "0",
    key: "order:42",
    retries: "2",
    timeout: "1m 30s",
  });
  expect(fields.get("state")).toMatch(/^delayed until \d{4}-\d\d-\d\d \d\d:\d\d:\d\d \(in (59m|1h)/);
});

test("a task is found by its key", async () => {
  const id = await memq.publish("greet", [], { queue: "push", key: "订单:42" });
  expect((await show("--key", "订单:42")).out).toContain(id);
});

test("--json gives the arguments as they were published", async () => {
  const args = ['"quoted"\n', 1.5, null, [true], { 键: "值" }];
  const id = await memq.publish("greet", args, { class: "Other" });
  const { code, out } = await show(id, "--json");
  expect(code).toBe(0);
  expect(JSON.parse(out)).toMatchObject({
    id,
    queue: "default",
    state: "waiting",
    class: "Other",
    method: "greet",
    args,
    attempts: 0,
  });
});

test("a dead letter's error is shown over all its lines", async () => {
  const id = await memq.publish("greet", ["x"]);
  const broker = await memq.broker();
  const [claim] = (await broker.claim({ limit: 1, atOnce: 1 })).claims;
  if (claim === undefined) throw new Error("nothing was claimed");
  await broker.settle([{ claim, outcome: { kind: "dead", reason: "first\nsecond\u0007" } }]);
  const { out } = await show(id);
  expect(out).toContain("error      first\n           second\\u0007\n");
  expect(out).toMatch(/^state +dead since /m);
});

test("a running task says who holds it", async () => {
  const id = await memq.publish("greet", ["x"]);
  await (await memq.broker()).claim({ limit: 1, atOnce: 1 });
  expect((await show(id)).out).toMatch(
    new RegExp(`^state +running, held by .*:${String(process.pid)} \\(its lease`, "m"),
  );
});

test("a task that is not there exits with 65, and says where it was looked for", async () => {
  const { code, out, err } = await show("nope");
  expect([code, out]).toEqual([65, ""]);
  expect(err).toContain(`no task has the id "nope" in queues default, push [NOT_FOUND]`);
});

test("a key that two queues have has to be told apart", async () => {
  for (const queue of ["default", "push"]) await memq.publish("greet", [], { queue, key: "k" });
  const { code, err } = await show("--key", "k");
  expect(code).toBe(64);
  expect(err).toContain("is in the queues default and push: say which with --queue");
  expect((await show("--key", "k", "-q", "push")).code).toBe(0);
});

test("without exactly one name it is a misuse", async () => {
  expect((await show()).code).toBe(64);
  expect((await show("a", "b")).code).toBe(64);
  expect((await show("a", "--key", "b")).code).toBe(64);
});

test("a task that may be in a queue that cannot be asked is not called missing", async () => {
  folder.write("file", "");
  folder.write("config.ini", "[queue.bad]\nstore = ./file/store\n");
  const { code, err } = await show("nope");
  expect(code).toBe(78);
  expect(err).toContain(`no task has the id "nope" in queue default; queue "bad": `);
});
