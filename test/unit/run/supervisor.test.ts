import { afterEach, expect, test } from "vitest";
import { Backoff } from "../../../src/run/backoff.ts";
import { Supervisor, type WorkerEnd, type WorkerProcess } from "../../../src/run/supervisor.ts";
import { virtualClock, type VirtualClock } from "../../../src/testing.ts";

/** A worker that does what the test says. */
class Actor implements WorkerProcess {
  readonly name: string;
  readonly asked: string[] = [];
  readonly ready: Promise<void>;
  readonly leaving: Promise<void>;
  readonly ended: Promise<WorkerEnd>;
  readonly begun: Promise<readonly string[]>;
  begin: (lacks: readonly string[]) => void = () => undefined;
  comeToWork = (): void => undefined;
  sayLeaving = (): void => undefined;
  end: (how: WorkerEnd) => void = () => undefined;

  constructor(nth: number) {
    this.name = `worker ${String(nth)}`;
    this.ready = new Promise((resolve) => (this.comeToWork = resolve));
    this.begun = new Promise((resolve) => (this.begin = resolve));
    this.leaving = new Promise((resolve) => (this.sayLeaving = resolve));
    this.ended = new Promise((resolve) => (this.end = resolve));
  }
  getReady(lacks: readonly string[] = []): void {
    this.comeToWork();
    this.begin(lacks);
  }
  leave(): void {
    this.asked.push("leave");
  }
  stop(): void {
    this.asked.push("stop");
    this.end({ code: 0, how: "exit 0" });
  }
  kill(): void {
    this.asked.push("kill");
    this.end({ code: null, how: "SIGKILL" });
  }
}

let supervisor: Supervisor;
let running: Promise<number>;
let clock: VirtualClock;
const actors: Actor[] = [];
const said: string[] = [];
function begin(processes: number): void {
  actors.length = 0;
  said.length = 0;
  clock = virtualClock();
  supervisor = new Supervisor({
    processes,
    start: () => {
      const actor = new Actor(actors.length);
      actors.push(actor);
      return actor;
    },
    complain: (line) => said.push(line),
    clock,
  });
  running = supervisor.run();
}
const actor = async (nth: number): Promise<Actor> => {
  await expect.poll(() => actors.length, { timeout: 5_000 }).toBeGreaterThan(nth);
  return actors[nth] as Actor;
};
const allReady = async (count: number): Promise<void> => {
  for (let nth = 0; nth < count; nth++) (await actor(nth)).getReady();
};
const KILLED = { code: null, how: "SIGKILL" };
afterEach(async () => {
  supervisor.end();
  await running;
});

test("one that dies is replaced after a second, and a row of deaths is told once", async () => {
  begin(2);
  await allReady(2);
  (await actor(1)).end(KILLED);
  await expect.poll(() => said).toHaveLength(1);
  await clock.advance(999);
  expect(actors).toHaveLength(2);
  await clock.advance(1);
  const third = await actor(2);
  third.getReady();
  third.end(KILLED);
  await expect.poll(() => clock.advance(1_000).then(() => actors.length)).toBe(4);
  expect(said).toEqual(["worker 1 ended (SIGKILL), another one is started in its place"]);
});

test("that none can begin in the place of one that died is told, once", async () => {
  begin(1);
  await allReady(1);
  (await actor(0)).end(KILLED);
  for (const nth of [1, 2]) {
    await expect.poll(() => clock.advance(1_000).then(() => actors.length)).toBe(nth + 1);
    (await actor(nth)).end({ code: 78, how: "exit 78" });
  }
  await expect
    .poll(() => said)
    .toEqual([
      "worker 0 ended (SIGKILL), another one is started in its place",
      "worker 1 ended before it could begin (exit 78), it is tried again until one can",
    ]);
});

test("four begin at a time, the first alone, and those that have not begun are ended at once", async () => {
  begin(9);
  await actor(0);
  await clock.advance(10);
  expect(actors).toHaveLength(1);
  actors[0]?.getReady();
  await actor(4);
  await clock.advance(10);
  expect(actors).toHaveLength(5);
  actors[3]?.getReady();
  await actor(5);
  supervisor.end();
  expect(actors.map(({ asked }) => asked.join())).toEqual(["stop", "kill", "kill", "stop", "kill", "kill"]);
  expect(await running).toBe(0);
  expect(actors).toHaveLength(6);
});

test("one that leaves by itself is replaced at once, and its end is no news", async () => {
  begin(1);
  await allReady(1);
  (await actor(0)).sayLeaving();
  const successor = await actor(1);
  successor.getReady();
  (await actor(0)).end({ code: 0, how: "exit 0" });
  await Promise.resolve();
  expect(actors).toHaveLength(2);
  expect(said).toEqual([]);
});

test("ends with 74 when one of its workers, also one that was replaced, ends with that", async () => {
  begin(1);
  await allReady(1);
  (await actor(0)).end({ code: 74, how: "exit 74" });
  (await actor(1)).getReady();
  expect(said).toEqual([]);
  supervisor.end();
  expect(await running).toBe(74);
});

test("one that leaves before it ever worked is not replaced again and again", async () => {
  begin(1);
  const first = await actor(0);
  first.sayLeaving();
  first.end({ code: 0, how: "exit 0" });
  await expect.poll(() => said).toHaveLength(1);
  expect(actors).toHaveLength(1); // a second has not passed
  await clock.advance(1_000);
  expect(actors).toHaveLength(2);
});

test("all end with 78 when the first finds its handlers unusable; no other is started", async () => {
  begin(3);
  (await actor(0)).end({ code: 78, how: "exit 78" });
  expect(await running).toBe(78);
  expect(actors).toHaveLength(1);
});

test("a reload replaces one after the other, each when its successor works", async () => {
  begin(2);
  await allReady(2);
  const reloading = supervisor.reload();
  const successor = await actor(2);
  expect((await actor(0)).asked).toEqual([]);
  successor.getReady();
  const last = await actor(3);
  expect((await actor(0)).asked).toEqual(["leave"]);
  expect((await actor(1)).asked).toEqual([]);
  last.getReady();
  expect(await reloading).toBe("replaced");
  expect((await actor(1)).asked).toEqual(["leave"]);
});

test("a successor that cannot begin leaves the old ones at work", async () => {
  begin(2);
  await allReady(2);
  const reloading = supervisor.reload();
  (await actor(2)).end({ code: 78, how: "exit 78" });
  expect(await reloading).toBe("unfit");
  expect((await actor(0)).asked).toEqual([]);
  (await actor(0)).end(KILLED);
  await expect.poll(() => said).toHaveLength(1);
  await clock.advance(1_000);
  expect(actors).toHaveLength(4);
});

test("a successor that never gets ready is ended after 45 seconds, and the old one goes on", async () => {
  begin(1);
  await allReady(1);
  const reloading = supervisor.reload();
  const successor = await actor(1);
  await clock.advance(44_999);
  expect(successor.asked).toEqual([]);
  await clock.advance(1);
  expect(await reloading).toBe("unfit");
  expect(successor.asked).toEqual(["kill"]);
  expect((await actor(0)).asked).toEqual([]);
  expect(said).toEqual([]); // its death is no news: it stood on no post
});

test("a successor that cannot work on a queue of the old one finishes what it runs, and the old one goes on", async () => {
  begin(1);
  await allReady(1);
  const reloading = supervisor.reload();
  (await actor(1)).getReady(["mail"]);
  expect(await reloading).toBe("unfit");
  expect((await actor(1)).asked).toEqual(["leave"]);
  expect((await actor(0)).asked).toEqual([]);
});

test("what the old one could not work on either keeps no successor from its place", async () => {
  begin(1);
  (await actor(0)).getReady(["mail"]);
  const reloading = supervisor.reload();
  (await actor(1)).getReady(["mail"]);
  expect(await reloading).toBe("replaced");
  expect((await actor(0)).asked).toEqual(["leave"]);
});

test("a reload that is asked for again begins anew with what is there by then", async () => {
  begin(1);
  await allReady(1);
  const first = supervisor.reload();
  const hanging = await actor(1);
  const second = supervisor.reload();
  expect(await first).toBe("overtaken");
  expect(hanging.asked).toEqual(["kill"]);
  (await actor(2)).getReady();
  expect(await second).toBe("replaced");
  expect((await actor(0)).asked).toEqual(["leave"]);
});

test("one that dies during a reload is replaced by its successor alone", async () => {
  begin(1);
  await allReady(1);
  const reloading = supervisor.reload();
  const successor = await actor(1);
  (await actor(0)).end(KILLED);
  successor.getReady();
  expect(await reloading).toBe("replaced");
  await clock.advance(60_000); // a replacement would come after a second
  expect(actors).toHaveLength(2);
});

test("waits between tries double up to 30 s, and begin anew after a healthy minute", () => {
  const backoff = new Backoff();
  const waits = Array.from({ length: 7 }, () => backoff.failed(0).waitMs);
  expect(waits).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
  backoff.began(0);
  expect(backoff.failed(59_000)).toEqual({ isFirst: false, waitMs: 30_000 });
  backoff.began(60_000);
  expect(backoff.failed(120_000)).toEqual({ isFirst: true, waitMs: 1_000 });
});
