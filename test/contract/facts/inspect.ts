import { expect } from "vitest";
import type { Broker } from "../../../src/ports/broker.ts";
import type { TaskRecord, TaskState } from "../../../src/task/task.ts";
import {
  buryNext,
  drain,
  finish,
  inSeconds,
  keep,
  keepOne,
  named,
  names,
  series,
  start,
  takeCount,
  takeOne,
} from "./ground.ts";
import type { Fact } from "./ground.ts";

/** Ids as an attacker or a slip of the hand gives them. */
const STRANGE_IDS = [
  "",
  "nonsense",
  "0",
  "-1",
  "1e3",
  "1 OR 1=1",
  "../../etc/passwd",
  "a b\r\nc",
  "王",
  "9".repeat(2_000),
];

export function inspectFacts(fact: Fact): void {
  fact("depth counts every state and tells the oldest and the next", async (queue, owner) => {
    expect(await owner.depth()).toEqual({ waiting: 0, delayed: 0, running: 0, dead: 0 });
    const before = queue.now();
    await keep(owner, ...series("t", 5).map((name) => named(name)));
    const at = inSeconds(queue, 60);
    await buryNext(owner);
    await finish(owner, await takeOne(owner), { kind: "retry", at, error: "no luck" });
    await start(owner, await takeOne(owner));
    const depth = await (await queue.open()).depth();
    expect(depth).toMatchObject({ waiting: 2, delayed: 1, running: 1, dead: 1, nextDueAt: at });
    expect(depth.pausedUntil).toBeUndefined();
    expect(depth.oldestWaitingAt).toBeGreaterThanOrEqual(before - 1_000);
    expect(depth.oldestWaitingAt).toBeLessThanOrEqual(queue.now() + 1_000);
  });

  fact("a task that has fallen due counts as waiting since then", async (queue, owner) => {
    await keepOne(owner, named("a"));
    const at = inSeconds(queue, 60);
    await finish(owner, await takeOne(owner), { kind: "retry", at, error: "no luck" });
    await queue.advance(120_000);
    const depth = await owner.depth();
    expect(depth).toMatchObject({ waiting: 1, delayed: 0 });
    expect(depth.nextDueAt).toBeUndefined();
    expect(depth.oldestWaitingAt).toBeGreaterThanOrEqual(at);
    expect(depth.oldestWaitingAt).toBeLessThanOrEqual(at + 1_000);
  });

  fact("a task is found in every state, with its attempts and its last error", async (queue, owner) => {
    const other = await queue.open();
    const id = await keepOne(owner, named("a"));
    const waiting = await other.find(id);
    expect(waiting).toMatchObject({ id, state: "waiting", attempts: 0, task: { id, args: ["a"] } });
    expect(waiting?.holder).toBeUndefined();
    expect(waiting?.error).toBeUndefined();

    const claim = await takeOne(owner);
    await start(owner, claim, true);
    const running = await other.find(id);
    expect(running).toMatchObject({ id, state: "running", attempts: 1, task: { id } });
    expect(running?.holder).toMatch(/./);
    expect(running?.at).toBeGreaterThan(queue.now());

    const at = inSeconds(queue, 60);
    await owner.settle([{ claim, outcome: { kind: "retry", at, error: "no luck: 王" } }]);
    const delayed = await other.find(id);
    expect(delayed).toMatchObject({ id, state: "delayed", attempts: 1, at, error: "no luck: 王" });
    expect(delayed?.holder).toBeUndefined();

    await queue.advance(61_000);
    await finish(owner, await takeOne(owner), { kind: "dead", reason: "enough" });
    const dead = await other.find(id);
    expect(dead).toMatchObject({ id, state: "dead", attempts: 2, error: "enough", task: { id } });
    expect(dead?.holder).toBeUndefined();
  });

  fact(
    "an attempt under way is counted by whoever looks, though it is not the last one",
    async (queue, owner) => {
      const [id = "", next = ""] = await keep(owner, ...series("t", 3).map((name) => named(name)));
      const other = await queue.open();
      const [first] = await takeCount(owner, 3);
      if (first === undefined) throw new Error("nothing was claimed");
      await finish(owner, first, { kind: "retry", at: queue.now(), error: "again" });
      await queue.advance(1_000);
      const again = await takeOne(owner);
      expect(await other.find(id)).toMatchObject({ state: "running", attempts: 1 });
      await start(owner, again);
      expect(await other.find(id)).toMatchObject({ state: "running", attempts: 2 });
      expect(await other.find(next)).toMatchObject({ attempts: 0 });
    },
  );

  fact("an id that names no task finds nothing", async (_queue, owner) => {
    await keepOne(owner, named("a"));
    for (const id of STRANGE_IDS) expect(await owner.find(id)).toBeUndefined();
    expect(await owner.putBack(STRANGE_IDS)).toBe(0);
    expect((await drain(owner)).map((met) => met.name)).toEqual(["a"]);
  });

  fact(
    "pages list every task of a state once, in order, and consume nothing",
    async (queue, owner) => {
      await keep(owner, ...series("t", 25).map((name) => named(name)));
      const other = await queue.open();
      const { tasks, pages } = await listAll(other, "waiting", 10);
      expect(namesOf(tasks)).toEqual(series("t", 25));
      expect(pages.slice(0, 2)).toEqual([10, 10]);
      for (const record of tasks) expect(record).toMatchObject({ state: "waiting", attempts: 0 });
      expect(names(await takeCount(owner, 25))).toEqual(series("t", 25));
    },
    ["list"],
  );

  fact(
    "each state has a list of its own",
    async (queue, owner) => {
      const ids = await keep(owner, ...series("t", 4).map((name) => named(name)));
      const [dead = "", delayed = "", running = "", waiting = ""] = ids;
      await buryNext(owner, "enough");
      const at = inSeconds(queue, 60);
      await finish(owner, await takeOne(owner), { kind: "retry", at, error: "no luck" });
      await start(owner, await takeOne(owner));
      const other = await queue.open();
      expect((await listAll(other, "waiting", 10)).tasks).toMatchObject([{ id: waiting, state: "waiting" }]);
      expect((await listAll(other, "delayed", 10)).tasks).toMatchObject([
        { id: delayed, state: "delayed", at },
      ]);
      expect((await listAll(other, "running", 10)).tasks).toMatchObject([{ id: running, state: "running" }]);
      expect((await listAll(other, "dead", 10)).tasks).toMatchObject([
        { id: dead, state: "dead", error: "enough" },
      ]);
    },
    ["list"],
  );

  fact(
    "the delayed list begins with the soonest",
    async (queue, owner) => {
      const delays = [90, 30, 60, 3_600, 45];
      await keep(owner, ...delays.map((s) => named(String(s), { dueAt: inSeconds(queue, s) })));
      const { tasks } = await listAll(owner, "delayed", 2);
      expect(namesOf(tasks)).toEqual(["30", "45", "60", "90", "3600"]);
    },
    ["list", "delay"],
  );

  fact(
    "every list is paged: dead and running tasks as well",
    async (_queue, owner) => {
      await keep(owner, ...series("t", 14).map((name) => named(name)));
      for (let count = 0; count < 7; count++) await buryNext(owner);
      await takeCount(owner, 7);
      for (const state of ["dead", "running"] as const) {
        const { tasks, pages } = await listAll(owner, state, 3);
        expect(new Set(tasks.map((record) => record.id)).size).toBe(7);
        expect(tasks).toHaveLength(7);
        expect(Math.max(...pages)).toBeLessThanOrEqual(3);
      }
    },
    ["list"],
  );

  fact(
    "a page's tasks may go before the next page is asked for",
    async (_queue, owner) => {
      await keep(owner, ...series("t", 6).map((name) => named(name)));
      const first = await owner.list("waiting", { limit: 3 });
      await drain(owner, 3);
      await keepOne(owner, named("new"));
      const rest = await owner.list("waiting", { limit: 3, after: first.next ?? "" });
      expect(namesOf(first.tasks)).toEqual(["t0", "t1", "t2"]);
      expect(namesOf(rest.tasks).filter((name) => name !== "new")).toEqual([]);
    },
    ["list"],
  );

  fact(
    "an empty state lists nothing",
    async (_queue, owner) => {
      for (const state of ["waiting", "delayed", "running", "dead"] as const) {
        expect(await owner.list(state, { limit: 10 })).toEqual({ tasks: [] });
      }
    },
    ["list"],
  );

  fact(
    "a task whose bytes are broken is listed without its call",
    async (queue, owner) => {
      const id = await keepOne(owner, named("a"));
      await queue.corrupt(id, "not JSON");
      const { tasks } = await listAll(await queue.open(), "waiting", 10);
      expect(tasks).toMatchObject([{ id, state: "waiting" }]);
      expect(tasks[0]?.task).toBeUndefined();
    },
    ["list"],
  );

  fact("a queue that lost nothing reports no losses", async (queue, owner) => {
    await keep(owner, named("a"), named("b"));
    await takeOne(owner);
    await queue.kill(owner);
    const other = await queue.open();
    await drain(other);
    expect(await other.losses()).toEqual([]);
  });
}

async function listAll(
  owner: Broker,
  state: TaskState,
  limit: number,
): Promise<{ tasks: TaskRecord[]; pages: number[] }> {
  const tasks: TaskRecord[] = [];
  const pages: number[] = [];
  let after: string | undefined;
  for (let round = 0; round < 100; round++) {
    const page = await owner.list(state, { limit, ...(after !== undefined && { after }) });
    expect(page.tasks.length).toBeLessThanOrEqual(limit);
    tasks.push(...page.tasks);
    pages.push(page.tasks.length);
    if (page.next === undefined) return { tasks, pages };
    after = page.next;
  }
  throw new Error("the list never ended");
}

const namesOf = (records: readonly TaskRecord[]): unknown[] => records.map((record) => record.task?.args[0]);
