import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { main } from "../../../../src/cli/memq.ts";
import { MemqError } from "../../../../src/errors.ts";
import { Memq } from "../../../../src/memq.ts";
import { makeFolder, type Folder } from "../fake-io.ts";

let folder: Folder;
beforeEach(() => {
  folder = makeFolder("[queue.push]\n");
});
afterEach(() => folder.remove());

/** A waiting, a delayed, a running and a dead task. */
async function oneOfEach(): Promise<void> {
  const memq = await folder.memq();
  const broker = await memq.broker("push");
  for (const arg of ["dead", "running", "waiting"]) await memq.publish("greet", [arg], { queue: "push" });
  const { claims } = await broker.claim({ limit: 2, atOnce: 1 });
  for (const claim of claims) await broker.start(claim, { last: false });
  const [dead] = claims;
  if (dead === undefined) throw new Error("nothing was claimed");
  await broker.settle([{ claim: dead, outcome: { kind: "dead", reason: "no" } }]);
  await memq.publish("greet", ["delayed"], { queue: "push", delay: "1h" });
}

const rowOf = (out: string, queue: string): string[] =>
  (out.split("\n").find((line) => line.startsWith(`${queue} `)) ?? "").split(/ {2,}/);

test("status shows every queue with its tasks by state", async () => {
  await oneOfEach();
  const { code, out, err } = await folder.say(main, ["status"]);
  expect([code, err]).toEqual([0, ""]);
  expect(out).toMatch(/^queue +waiting +delayed +running +dead +oldest waits +next due +kept in/m);
  expect(rowOf(out, "default").slice(0, 7)).toEqual(["default", "0", "0", "0", "0", "-", "-"]);
  const push = rowOf(out, "push");
  expect(push.slice(0, 5)).toEqual(["push", "1", "1", "1", "1"]);
  expect(push[5]).toMatch(/^(\d+ms|\d\.\ds)$/);
  expect(push[6]).toMatch(/^in (59m|1h)/);
  expect(push[7]).toBe(`embedded store at ${folder.path}/memq-data`);
});

test("-q shows one queue", async () => {
  const { out } = await folder.say(main, ["status", "-q", "push"]);
  expect(out).not.toContain("default");
});

test("--json gives numbers, and times as ISO 8601", async () => {
  await oneOfEach();
  const { code, out } = await folder.say(main, ["status", "--json"]);
  const { queues } = JSON.parse(out) as { queues: Record<string, unknown>[] };
  expect(code).toBe(0);
  expect(queues).toMatchObject([
    { queue: "default", waiting: 0, dead: 0, paused: false },
    { queue: "push", waiting: 1, delayed: 1, running: 1, dead: 1, broker: { kind: "embedded" } },
  ]);
  expect(queues[1]?.["nextDueAt"]).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000Z$/);
  expect(queues[1]?.["oldestWaitingAt"]).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
});

test("a paused queue is named, with the time it has to go", async () => {
  const broker = await (await folder.memq()).broker("push");
  await broker.pause(Date.now() + 3_600_000);
  const { out } = await folder.say(main, ["status"]);
  expect(out).toMatch(/^queue push is paused until \d{4}-\d\d-\d\d \d\d:\d\d:\d\d \((59m|1h)/m);
  await broker.pause();
  expect((await folder.say(main, ["status"])).out).toContain("queue push is paused until it is resumed");
  const { queues } = JSON.parse((await folder.say(main, ["status", "--json"])).out) as {
    queues: Record<string, unknown>[];
  };
  expect(queues[1]).toMatchObject({ paused: true });
  expect(queues[1]).not.toHaveProperty("pausedUntil");
});

test("what keeps several queues from answering is said once, though closing meets it too", async () => {
  const away = new MemqError("BROKER_UNREACHABLE", "memcached at h:1: nothing listens there");
  const spies = [
    vi.spyOn(Memq.prototype, "broker").mockRejectedValue(away),
    vi.spyOn(Memq.prototype, "close").mockRejectedValueOnce(away),
  ];
  const { code, err } = await folder.say(main, ["status"]);
  for (const spy of spies) spy.mockRestore();
  expect(code).toBe(69);
  expect(err.match(/memq status: .*/g)).toEqual([
    'memq status: queues "default", "push": memcached at h:1: nothing listens there [BROKER_UNREACHABLE]',
  ]);
});

test("a queue that cannot be asked is named, the others are shown", async () => {
  folder.write("file", "");
  folder.write("config.ini", "[queue.mail]\nstore = ./file/store\n");
  const { code, out, err } = await folder.say(main, ["status"]);
  expect(code).toBe(78);
  expect(err).toMatch(/^memq status: queue "mail": .*STORE_UNUSABLE/);
  expect(rowOf(out, "default")[1]).toBe("0");
  expect(rowOf(out, "mail").slice(0, 5)).toEqual(["mail", "?", "?", "?", "?"]);
  const { queues } = JSON.parse((await folder.say(main, ["status", "--json"])).out) as {
    queues: Record<string, unknown>[];
  };
  expect(queues[1]).toMatchObject({ queue: "mail", error: { code: "STORE_UNUSABLE" } });
});

test("a wrong section harms only itself", async () => {
  folder.write("config.ini", "[queue.push]\n[queue.mail]\ntiemout = 5s\n");
  const { code, out, err } = await folder.say(main, ["status"]);
  expect(code).toBe(78);
  expect(err).toContain("tiemout");
  expect(rowOf(out, "push")[1]).toBe("0");
  expect(out).not.toContain("mail");
  expect((await folder.say(main, ["status", "-q", "mail"])).code).toBe(78);
});

test("the headings are bold on a terminal, or where FORCE_COLOR says so, but not under NO_COLOR", async () => {
  const isBold = async (fake: Parameters<Folder["say"]>[2]): Promise<boolean> =>
    (await folder.say(main, ["status"], fake)).out.startsWith("\u001b[1mqueue");
  expect(await isBold({})).toBe(false);
  expect(await isBold({ isTerminal: true })).toBe(true);
  expect(await isBold({ isTerminal: true, env: { NO_COLOR: "1" } })).toBe(false);
  expect(await isBold({ env: { FORCE_COLOR: "1" } })).toBe(true);
});

test("a queue is named with --queue", async () => {
  const { code, err } = await folder.say(main, ["status", "push"]);
  expect(code).toBe(64);
  expect(err).toContain(`takes no "push"; a queue is named with --queue`);
});
