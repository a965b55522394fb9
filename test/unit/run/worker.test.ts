import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { MemqError } from "../../../src/errors.ts";
import { QueueRuns } from "../../../src/host/queue-runs.ts";
import { recordsOf } from "../../../src/host/run-record.ts";
import { QueueWorkers } from "../../../src/host/queue-workers.ts";
import { toldLossesIn } from "../../../src/host/told-losses.ts";
import { open, type Memq } from "../../../src/memq.ts";
import type { Broker } from "../../../src/ports/broker.ts";
import { drain } from "../../../src/run/batch.ts";
import { giveUp } from "../../../src/task/outcome.ts";
import type { RunReport } from "../../../src/run/report.ts";
import type { RunEvent } from "../../../src/telemetry/events.ts";
import { altered, gate, ground, partsOf, publish, until } from "./ground.ts";

describe("a batch that stays", () => {
  test("waits for what is published, runs it with the same instance, and ends when it is to leave", async () => {
    const place = ground();
    const made: object[] = [];
    const seen: unknown[] = [];
    class Worker {
      isClosed = false;
      constructor() {
        made.push(this);
      }
      push(index: number): void {
        if (this.isClosed) throw giveUp("closed");
        seen.push(index);
      }
      close(): void {
        this.isClosed = true;
      }
    }
    const leaving = new AbortController();
    const parts = partsOf(place, { Worker }, { stays: { leave: leaving.signal } });
    const batch = drain(parts);
    const publisher = place.queue.open();
    for (const index of [1, 2, 3]) {
      await publish(publisher, { method: "push", args: [index] });
      await until(() => seen.length === index);
    }
    expect(made).toHaveLength(1);
    expect(made).toMatchObject([{ isClosed: false }]);
    parts.budget.stop();
    leaving.abort();
    expect(await batch).toBe("stopped");
    expect(made).toMatchObject([{ isClosed: true }]);
  });

  test("that is to leave hands back what it has not started and lets what runs finish", async () => {
    const place = ground();
    const { opened, open: letGo } = gate();
    const started: number[] = [];
    class Worker {
      async push(index: number): Promise<void> {
        started.push(index);
        await opened;
      }
    }
    const leaving = new AbortController();
    await publish(place.broker, { method: "push", args: [1] }, { method: "push", args: [2] });
    const parts = partsOf(place, { Worker }, { stays: { leave: leaving.signal } });
    const batch = drain(parts);
    await until(() => started.length === 1);
    parts.budget.stop();
    leaving.abort();
    await expect.poll(() => place.queue.open().depth()).toMatchObject({ waiting: 1, running: 1 });
    letGo();
    expect(await batch).toBe("stopped");
    expect(started).toEqual([1]);
    expect(await place.queue.open().depth()).toMatchObject({ waiting: 1, running: 0 });
  });

  test("ends when as many tasks as it may start are done", async () => {
    const place = ground();
    class Worker {
      push(): void {}
    }
    const stays = { leave: new AbortController().signal };
    await publish(place.broker, { method: "push" }, { method: "push" }, { method: "push" });
    expect(await drain(partsOf(place, { Worker }, { stays, limits: { maxTasks: 2 } }))).toBe("max-tasks");
    expect(await place.broker.depth()).toMatchObject({ waiting: 1 });
  });

  test("does not ask a broker again and again that has something for others only", async () => {
    const place = ground();
    class Worker {
      push(): void {}
    }
    let waits = 0;
    const wait = (): Promise<void> => {
      waits++;
      return Promise.resolve();
    };
    const leaving = new AbortController();
    const broker: Broker = altered(place.broker, { wait });
    const parts = partsOf(place, { Worker }, { broker, stays: { leave: leaving.signal } });
    const batch = drain(parts);
    await until(() => waits > 0);
    for (let ms = 0; ms < 10_000; ms += 50) await place.clock.advance(50);
    expect(waits).toBeLessThan(20);
    parts.budget.stop();
    leaving.abort();
    await batch;
  });
});

describe("work()", () => {
  let folder: string;
  let memq: Memq;
  const events: RunEvent[] = [];
  const ran: unknown[] = [];
  class Worker {
    push(value: unknown): void {
      ran.push(value);
    }
  }
  const stop = { now: (): void => undefined };
  const work = (options: Parameters<Memq["work"]>[0] = {}): Promise<RunReport> => {
    const controller = new AbortController();
    stop.now = () => {
      controller.abort();
    };
    return memq.work({ stop: controller.signal, listener: (event) => events.push(event), ...options });
  };
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), "memq-worker-"));
    memq = await open({ store: folder, queue: { mail: {} } }, { handlers: { Worker } });
    events.length = 0;
    ran.length = 0;
  });
  afterEach(async () => {
    await memq.close();
    rmSync(folder, { recursive: true });
  });

  test("runs what is published while it goes on, on all queues, until it is stopped", async () => {
    let isReady = false;
    const working = work({ onReady: () => (isReady = true) });
    await until(() => isReady);
    const workers = new QueueWorkers({ storePath: folder, queue: "mail" });
    expect(workers.living()).toHaveLength(1);
    await memq.publish("push", [1]);
    await memq.publish("push", [2], { queue: "mail" });
    await until(() => ran.length === 2);
    stop.now();
    const report = await working;
    expect(report).toMatchObject({ exit: 0 });
    expect(report.queues).toMatchObject([
      { queue: "default", done: 1, ended: "stopped" },
      { queue: "mail", done: 1, ended: "stopped" },
    ]);
    expect(ran.toSorted()).toEqual([1, 2]);
    expect(workers.living()).toEqual([]);
  });

  test("is no run, and leaves a record as a worker", async () => {
    const working = work({ maxTasks: 1 });
    await memq.publish("push", [1]);
    await working;
    const runs = new QueueRuns({ storePath: folder, queue: "default" });
    expect(runs.working()).toEqual([]);
    expect(recordsOf(runs.history(Date.now()))).toMatchObject([
      { worker: true, state: "ended", end: { done: 1, ended: "max-tasks" } },
    ]);
  });

  test("ends on all queues when the limit is reached on one", async () => {
    const working = work({ maxTasks: 2 });
    await memq.publish("push", [1], { queue: "mail" });
    await memq.publish("push", [2], { queue: "mail" });
    expect((await working).queues).toMatchObject([
      { queue: "default", done: 0 },
      { queue: "mail", done: 2 },
    ]);
  });

  test("ends with 78 when no queue has handlers", async () => {
    await memq.close();
    memq = await open({ store: folder, queue: { mail: {} } }, { handlers: {} });
    const report = await work();
    expect(report.exit).toBe(78);
    expect(report.queues.map(({ ended }) => ended)).toEqual(["failed", "failed"]);
  });

  test("tells once of a queue that cannot be served, and serves it when it can", async () => {
    const broker = await memq.broker();
    const real = broker.claim.bind(broker);
    let tries = 0;
    broker.claim = (request) => {
      tries++;
      if (tries > 2) return real(request);
      return Promise.reject(new MemqError("BROKER_UNREACHABLE", "it is away"));
    };
    await memq.publish("push", [1]);
    const working = work({ queues: ["default"] });
    await expect.poll(() => ran, { timeout: 20_000 }).toEqual([1]);
    stop.now();
    await working;
    expect(tries).toBeGreaterThan(2);
    expect(events.filter(({ kind }) => kind === "unserved")).toHaveLength(1);
  });

  test("what was lost is on record while it goes on, as it was told, and ends it with 74", async () => {
    const broker = await memq.broker();
    const at = Date.now() - 1_000;
    const found = [{ at, cause: "restart", atLeast: 3 } as const];
    broker.losses = () => Promise.resolve(found.splice(0));
    const working = work({ queues: ["default"] });
    const runs = new QueueRuns({ storePath: folder, queue: "default" });
    await until(() => events.some(({ kind }) => kind === "loss"));
    expect(toldLossesIn(runs.history(Date.now()))).toEqual([
      { at, text: "at least 3 tasks were lost (restart)" },
    ]);
    stop.now();
    expect(await working).toMatchObject({ exit: 74, queues: [{ losses: [{ at, atLeast: 3 }] }] });
    expect(toldLossesIn(runs.history(Date.now()))).toHaveLength(1);
  });

  test("dead letters do not make its end a failure", async () => {
    const working = work({ queues: ["default"], maxTasks: 1 });
    await memq.publish("nosuch", []);
    expect(await working).toMatchObject({ exit: 0, queues: [{ dead: 1 }] });
  });

  test("reports tasks that ran and whose outcome could not be recorded", async () => {
    const broker = await memq.broker();
    broker.settle = () => {
      stop.now();
      return Promise.reject(new MemqError("BROKER_UNREACHABLE", "it is away"));
    };
    await memq.publish("push", [1]);
    expect((await work({ queues: ["default"] })).queues).toMatchObject([{ done: 0, unrecorded: 1 }]);
  });

  test("tells when it has tried to begin with each queue, and which have no handlers that it can use", async () => {
    await memq.close();
    memq = await open({ store: folder, queue: { mail: { classname: "Mailer" } } }, { handlers: { Worker } });
    const begun: (readonly string[])[] = [];
    const working = work({ onBegun: (lacks) => begun.push(lacks) });
    await until(() => begun.length > 0);
    stop.now();
    await working;
    expect(begun).toEqual([["mail"]]);
  });

  test("refuses a misspelt option, and those that are of runs only", async () => {
    const wrong = (value: unknown): never => value as never;
    await expect(memq.work(wrong({ maxTask: 1 }))).rejects.toMatchObject({ code: "USAGE" });
    await expect(memq.work(wrong({ cover: true }))).rejects.toMatchObject({ code: "USAGE" });
  });
});
