import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openEmbeddedStore, type EmbeddedStore } from "../../../../src/adapters/embedded/store.ts";
import { sqliteDriver } from "../../../../src/adapters/embedded/sqlite.ts";
import type { Broker } from "../../../../src/ports/broker.ts";
import { encodeResult } from "../../../../src/task/result.ts";
import { drain, takeCount, testCodec } from "../../../contract/facts/ground.ts";

// A store in which every kind of task stands: one dead, delayed by a retry, suspect after its owner was
// killed, running on another host, two waiting; a second queue with a delayed one; a third one, paused.
const FIXTURE = join(import.meta.dirname, "../../../fixtures/store-v1.db");

let folder: string;
let store: EmbeddedStore;
let broker: Broker;

beforeEach(() => {
  folder = join(mkdtempSync(join(tmpdir(), "memq-old-")), "store");
  mkdirSync(folder);
  copyFileSync(FIXTURE, join(folder, "store.db"));
  store = openEmbeddedStore({ folder });
  broker = store.queue("default", { codec: testCodec });
});

afterEach(async () => {
  await store.close();
  rmSync(join(folder, ".."), { recursive: true });
});

describe("a store of version 1", () => {
  test("opens with its tasks, each as it was left", async () => {
    expect(await broker.depth()).toEqual({
      waiting: 3,
      delayed: 1,
      running: 1,
      dead: 1,
      oldestWaitingAt: Date.UTC(2025, 0, 1, 12, 0, 2),
      nextDueAt: Date.UTC(2100, 0, 1),
    });
    expect(await broker.findKey("order:1")).toEqual({
      id: "fgjh-1",
      state: "dead",
      attempts: 1,
      at: Date.UTC(2025, 0, 1, 12),
      error: "no such user: 王",
      task: {
        id: "fgjh-1",
        bornAt: Date.UTC(2025, 0, 1, 12),
        method: "saveToLocal",
        args: ["dead"],
        key: "order:1",
      },
    });
    expect(await broker.find("fgjh-2")).toMatchObject({
      state: "delayed",
      attempts: 1,
      at: Date.UTC(2100, 0, 1),
      error: "shop is closed",
      task: { class: "Shop", retries: 2, timeoutMs: 5_000 },
    });
    expect(await broker.findKey("order:2")).toMatchObject({ state: "running", holder: "elsewhere:4" });
    expect(await broker.findKey("订单 42")).toMatchObject({ id: "fgjh-6", state: "waiting" });
    expect(await store.queue("mail", { codec: testCodec }).depth()).toMatchObject({ waiting: 0, delayed: 1 });
    expect(await store.queue("paused", { codec: testCodec }).depth()).toMatchObject({
      pausedUntil: Infinity,
    });
  });

  test("is drained: the suspect and what another host held alone and charged, the rest as ever", async () => {
    expect(await drain(broker)).toMatchObject([
      { name: "suspect", attempt: 2, alone: true },
      { name: "running", attempt: 2, alone: true },
      { name: "waiting", attempt: 1, alone: false },
      { name: "王: 'quoted' \"text\"", attempt: 1, alone: false },
    ]);
  });

  test("goes on numbering where it stopped", async () => {
    expect(await broker.publish([{ method: "saveToLocal", args: [] }])).toEqual([
      { kind: "kept", id: "fgjh-8" },
    ]);
  });

  test("shows people its tasks by state, in UTC", async () => {
    await broker.depth();
    const database = sqliteDriver().open(join(folder, "store.db"));
    const rows = database.prepare("SELECT id, queue, state, at_utc, holder FROM tasks").all();
    database.close();
    const shown = (rows as Record<string, unknown>[]).map((row) => Object.values(row).join(" | "));
    expect(shown).toContain("fgjh-2 | default | delayed | 2100-01-01 00:00:00 | ");
    expect(shown).toContain("fgjh-4 | default | running | 2025-01-01 12:00:03 | elsewhere:4");
    expect(shown).toHaveLength(7);
  });
});

test("a store of version 2 keeps its notes and tasks, and takes bulks", async () => {
  const second = join(mkdtempSync(join(tmpdir(), "memq-old-")), "store");
  mkdirSync(second);
  copyFileSync(join(import.meta.dirname, "../../../fixtures/store-v2.db"), join(second, "store.db"));
  const opened = openEmbeddedStore({ folder: second });
  const queue = opened.queue("default", { codec: testCodec });
  expect(await queue.notes.read("tick")).toEqual({ value: "王", version: "3" });
  expect(await queue.depth()).toMatchObject({ waiting: 3, delayed: 1, running: 1, dead: 1 });
  const step = { name: "b", expected: undefined, place: (): string => "here" };
  await queue.bulks.publish([{ method: "saveToLocal", args: [] }], step);
  expect(await queue.bulks.count("b")).toMatchObject({ kept: 1, left: 1 });
  await opened.close();
  rmSync(join(second, ".."), { recursive: true });
});

test("a store of version 3 keeps its bulks and its owners", async () => {
  const third = join(mkdtempSync(join(tmpdir(), "memq-old-")), "store");
  mkdirSync(third);
  copyFileSync(join(import.meta.dirname, "../../../fixtures/store-v3.db"), join(third, "store.db"));
  const opened = openEmbeddedStore({ folder: third });
  const queue = opened.queue("default", { codec: testCodec });
  expect(await queue.bulks.count("b")).toMatchObject({ kept: 1, left: 1 });
  expect(await queue.findKey("order:2")).toMatchObject({ state: "running", holder: "elsewhere:4" });
  expect((await drain(queue)).map(({ name }) => name)).toContain("running");
  await opened.close();
  rmSync(join(third, ".."), { recursive: true });
});

test("a store of version 4 keeps what its owners hold, and owners after them hold in ranges", async () => {
  const fourth = join(mkdtempSync(join(tmpdir(), "memq-old-")), "store");
  mkdirSync(fourth);
  copyFileSync(join(import.meta.dirname, "../../../fixtures/store-v4.db"), join(fourth, "store.db"));
  const opened = openEmbeddedStore({ folder: fourth });
  const queue = opened.queue("default", { codec: testCodec });
  expect(await queue.depth()).toMatchObject({ waiting: 3, delayed: 1, running: 2, dead: 1 });
  expect((await queue.list("running", { limit: 9 })).tasks).toMatchObject([
    { holder: "elsewhere:4", attempts: 1, task: { args: ["running"] } },
    { holder: "elsewhere:4", attempts: 0, task: { args: ["held"] } },
  ]);
  expect(await drain(queue)).toMatchObject([
    { name: "running", attempt: 2, alone: true },
    { name: "held", attempt: 1, alone: false },
    { name: "waiting", attempt: 1, alone: false },
    { name: "王", attempt: 1, alone: false },
    { name: "bulk", attempt: 1, alone: false },
  ]);
  await opened.close();
  rmSync(join(fourth, ".."), { recursive: true });
});

test("a store of version 5 keeps what was tried, and takes what asks for more runs", async () => {
  const fifth = join(mkdtempSync(join(tmpdir(), "memq-old-")), "store");
  mkdirSync(fifth);
  copyFileSync(join(import.meta.dirname, "../../../fixtures/store-v5.db"), join(fifth, "store.db"));
  const opened = openEmbeddedStore({ folder: fifth });
  const queue = opened.queue("default", { codec: testCodec });
  expect(await queue.depth()).toMatchObject({ waiting: 2, delayed: 1, running: 0, dead: 0 });
  expect(await queue.find("jcz9-1")).toMatchObject({
    state: "delayed",
    attempts: 1,
    error: "shop is closed",
  });
  expect(await queue.bulks.count("spring")).toMatchObject({ kept: 3, done: 2, left: 1 });
  const [claim] = (await queue.claim({ limit: 1, atOnce: 1 })).claims;
  if (claim === undefined) throw new Error("nothing could be claimed");
  await queue.settle([{ claim, outcome: { kind: "retry", at: 0, error: "busy", askedFrom: 1 } }]);
  expect(await drain(queue)).toHaveLength(2);
  await opened.close();
  rmSync(join(fifth, ".."), { recursive: true });
});

test("a store of version 6 keeps what is held in ranges, and takes results and progress", async () => {
  const sixth = join(mkdtempSync(join(tmpdir(), "memq-old-")), "store");
  mkdirSync(sixth);
  copyFileSync(join(import.meta.dirname, "../../../fixtures/store-v6.db"), join(sixth, "store.db"));
  const opened = openEmbeddedStore({ folder: sixth });
  const queue = opened.queue("ranges", { codec: testCodec });
  expect(await queue.depth()).toMatchObject({ waiting: 1, running: 3 });
  const claims = await takeCount(queue, 4, 4);
  expect(claims.map(({ task }) => task.args[0]).sort()).toEqual(["a", "b", "c", "d"]);
  const [claim] = claims;
  if (claim === undefined) throw new Error("nothing could be claimed");
  await queue.start(claim, { last: false });
  await queue.results.report(claim, { done: 1, total: 2, at: 5 });
  expect(await queue.results.progress([claim.task.id])).toEqual(
    new Map([[claim.task.id, { done: 1, total: 2, at: 5 }]]),
  );
  const text = encodeResult({ attempt: claim.attempt, ms: 1, at: 1 }, "done", 1_000);
  await queue.settle([{ claim, outcome: { kind: "done" }, keep: { forMs: 60_000, text } }]);
  expect(await queue.results.find(claim.task.id)).toMatchObject({ kind: "done", value: "done" });
  await opened.close();
  rmSync(join(sixth, ".."), { recursive: true });
});

test("a store of version 7 keeps its bulks, and takes what follows them", async () => {
  const seventh = join(mkdtempSync(join(tmpdir(), "memq-old-")), "store");
  mkdirSync(seventh);
  copyFileSync(join(import.meta.dirname, "../../../fixtures/store-v7.db"), join(seventh, "store.db"));
  const opened = openEmbeddedStore({ folder: seventh });
  const queue = opened.queue("default", { codec: testCodec });
  expect(await queue.bulks.conclude()).toBe(0);
  const expected = (await queue.bulks.resume("spring"))?.version;
  const then = { method: "ok", args: ["then"] };
  await queue.bulks.publish([], { name: "spring", expected, place: () => "end", then, isLast: true });
  expect(await queue.bulks.conclude()).toBe(0);
  expect(await drain(queue)).toHaveLength(2);
  expect(await queue.bulks.conclude()).toBe(1);
  expect((await drain(queue)).map(({ name }) => name)).toEqual(["then"]);
  await opened.close();
  rmSync(join(seventh, ".."), { recursive: true });
});

test("a store of version 8 keeps what was started, and what was not", async () => {
  const eighth = join(mkdtempSync(join(tmpdir(), "memq-old-")), "store");
  mkdirSync(eighth);
  copyFileSync(join(import.meta.dirname, "../../../fixtures/store-v8.db"), join(eighth, "store.db"));
  const opened = openEmbeddedStore({ folder: eighth });
  const queue = opened.queue("default", { codec: testCodec });
  expect(await queue.depth()).toMatchObject({ waiting: 2, running: 3 });
  const met = await drain(queue);
  expect(met.map(({ name, attempt, alone }) => [name, attempt, alone])).toEqual([
    ["a", 2, true],
    ...["b", "c", "d", "e"].map((name) => [name, 1, false]),
  ]);
  await opened.close();
  rmSync(join(eighth, ".."), { recursive: true });
});
