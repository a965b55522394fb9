import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { QueueRuns } from "../../../src/host/queue-runs.ts";
import type { Depth } from "../../../src/ports/broker.ts";
import { waitUntil, type Lull } from "../../../src/run/cover.ts";
import type { RunReport } from "../../../src/run/report.ts";
import { runQueues, type QueueRun } from "../../../src/run/run.ts";
import type { WhenFull } from "../../../src/run/visit.ts";
import { pauseQueue, retryLater } from "../../../src/task/outcome.ts";
import { altered, ground, partsOf, publish, until, type Ground } from "./ground.ts";

const MINUTE = 60_000;
const tenMinutes = (afterMs: number): number => (Math.floor(afterMs / (10 * MINUTE)) + 1) * 10 * MINUTE;

let place: Ground;
let closedAt: number[];
beforeEach(() => {
  place = ground();
  closedAt = [];
});

class Order {
  closeOrder(): void {
    closedAt.push(place.clock.now());
  }
  later(): void {
    closedAt.push(place.clock.now());
    throw retryLater("not yet", { times: 1, delay: "3m" });
  }
  pause(): void {
    closedAt.push(place.clock.now());
    if (closedAt.length === 1) throw pauseQueue("closed", { for: "2m" });
  }
}

const covering = (wishes: Partial<QueueRun> & Parameters<typeof partsOf>[2] = {}): QueueRun => ({
  ...partsOf(place, { Order }, wishes),
  queue: "q",
  open: () => Promise.resolve(place.broker),
  nextTick: tenMinutes,
  ...wishes,
});

/** A run under way; `report` is there when it has ended. */
function start(run: QueueRun): { report: RunReport | undefined } {
  const under: { report: RunReport | undefined } = { report: undefined };
  void runQueues([run]).then((report) => {
    under.report = report;
  });
  return under;
}

/** Minutes after the clock's beginning. */
const at = (minutes: number): number => Date.UTC(2026, 0, 1) + minutes * MINUTE;

async function settle(): Promise<void> {
  await place.clock.advance(0);
  await place.clock.advance(0);
}

describe("an order placed at 08:01 to be closed after 20 minutes, under a */10 line", () => {
  test("is closed at 08:21, by the run of 08:20; the one of 08:10 does not wait", async () => {
    await place.clock.advance(MINUTE);
    await publish(place.broker, { method: "closeOrder", dueAt: at(21) });
    await place.clock.advance(9 * MINUTE);
    const first = start(covering());
    await until(() => first.report !== undefined);
    expect(first.report?.queues).toMatchObject([{ ended: "due", done: 0, left: 1 }]);
    expect(place.clock.now()).toBe(at(10));

    await place.clock.advance(10 * MINUTE);
    const second = start(covering());
    await settle();
    await place.clock.advance(MINUTE - 1);
    expect([closedAt, second.report]).toEqual([[], undefined]);
    await place.clock.advance(1);
    await until(() => second.report !== undefined);
    expect(closedAt).toEqual([at(21)]);
    expect(second.report?.queues).toMatchObject([{ ended: "empty", done: 1, left: 0 }]);
  });
});

describe("a covering run", () => {
  const ended = async (run: QueueRun, advanceMs = 0): Promise<RunReport["queues"][number] | undefined> => {
    const under = start(run);
    await settle();
    if (advanceMs > 0) await place.clock.advance(advanceMs);
    await until(() => under.report !== undefined);
    return under.report?.queues[0];
  };

  test("returns at once when nothing is due before the tick", async () => {
    expect(await ended(covering())).toMatchObject({ ended: "empty" });
    await publish(place.broker, { method: "closeOrder", dueAt: at(10) });
    expect(await ended(covering())).toMatchObject({ ended: "due" });
    expect(place.clock.now()).toBe(at(0));
  });

  test("runs a retry that falls due before the tick", async () => {
    await publish(place.broker, { method: "later" });
    expect(await ended(covering(), 3 * MINUTE)).toMatchObject({ retried: 1, dead: 1, ended: "empty" });
    expect(closedAt).toEqual([at(0), at(3)]);
  });

  test("goes on after a pause that ends before the tick", async () => {
    await publish(place.broker, { method: "pause" });
    expect(await ended(covering(), 2 * MINUTE)).toMatchObject({ done: 1, ended: "empty" });
    expect(closedAt).toEqual([at(0), at(2)]);
  });

  test("ends as paused when the pause lasts past the tick, or for ever", async () => {
    await publish(place.broker, { method: "closeOrder" });
    await place.broker.pause(at(10));
    expect(await ended(covering())).toMatchObject({ ended: "paused", left: 1 });
    await place.broker.pause();
    expect(await ended(covering())).toMatchObject({ ended: "paused", left: 1 });
  });

  test("ends as held when others work on the rest", async () => {
    await publish(place.broker, { method: "closeOrder" });
    const other = place.queue.open();
    await other.claim({ limit: 1, atOnce: 1 });
    expect(await ended(covering())).toMatchObject({ ended: "held", left: 1 });
  });

  test("waits for what is due while others hold something", async () => {
    await publish(place.broker, { method: "closeOrder" });
    const other = place.queue.open();
    await other.claim({ limit: 1, atOnce: 1 });
    await publish(place.broker, { method: "closeOrder", dueAt: at(4) });
    const renewing = setInterval(() => void other.renew(), 1);
    const under = start(covering());
    for (let minute = 0; minute < 4; minute += 1 / 6) {
      await settle();
      await other.renew();
      await place.clock.advance(10_000);
    }
    clearInterval(renewing);
    await until(() => under.report !== undefined);
    expect(closedAt).toEqual([at(4)]);
  });

  test("does not wait longer than its max-time", async () => {
    await publish(place.broker, { method: "closeOrder", dueAt: at(5) });
    const run = covering({ limits: { maxTimeMs: 4 * MINUTE } });
    expect(await ended(run)).toMatchObject({ ended: "due" });
    expect(place.clock.now()).toBe(at(0));
  });

  test("stops waiting when it is told to stop", async () => {
    await publish(place.broker, { method: "closeOrder", dueAt: at(5) });
    const stop = new AbortController();
    const under = start(covering({ stop: stop.signal }));
    await settle();
    stop.abort();
    await until(() => under.report !== undefined);
    expect(under.report?.queues[0]).toMatchObject({ done: 0, left: 1 });
    expect(place.clock.now()).toBe(at(0));
  });

  test("runs at once what is published while it waits, and still what it waited for", async () => {
    await publish(place.broker, { method: "closeOrder", dueAt: at(5) });
    const under = start(covering());
    await settle();
    await place.clock.advance(2 * MINUTE);
    await publish(place.broker, { method: "closeOrder" });
    await settle();
    expect(closedAt).toEqual([at(2)]);
    await place.clock.advance(3 * MINUTE);
    await until(() => under.report !== undefined);
    expect(closedAt).toEqual([at(2), at(5)]);
    expect(under.report?.queues[0]).toMatchObject({ done: 2 });
  });

  test("does not wait for something that nobody can claim", async () => {
    await publish(place.broker, { method: "closeOrder" });
    const none = { claims: [], idle: { kind: "empty" }, findings: [] } as const;
    const broker = altered(place.broker, { claim: () => Promise.resolve(none) });
    const under = start(covering({ open: () => Promise.resolve(broker) }));
    for (let second = 0; second < 6; second++) {
      await settle();
      await place.clock.advance(1_000);
    }
    await until(() => under.report !== undefined);
    expect(under.report?.queues[0]).toMatchObject({ ended: "empty", left: 1 });
  });

  test("without a next tick to know does not wait", async () => {
    await publish(place.broker, { method: "closeOrder", dueAt: at(5) });
    const { nextTick: _, ...plain } = covering();
    expect(await ended(plain)).toMatchObject({ ended: "due" });
  });

  test("asks when the next run comes only when there is something to wait for", async () => {
    let asked = 0;
    const nextTick = (afterMs: number): number => {
      asked++;
      return tenMinutes(afterMs);
    };
    await publish(place.broker, { method: "closeOrder" });
    expect(await ended(covering({ nextTick }))).toMatchObject({ done: 1 });
    expect(asked).toBe(0);
    await publish(place.broker, { method: "closeOrder", dueAt: at(15) });
    expect(await ended(covering({ nextTick }))).toMatchObject({ ended: "due" });
    expect(asked).toBe(1);
  });

  describe("with others on the same host", () => {
    let folder: string;
    beforeEach(() => {
      folder = mkdtempSync(join(tmpdir(), "memq-cover-"));
    });
    afterEach(() => {
      rmSync(folder, { recursive: true });
    });
    const runsOf = (run: string): QueueRuns => new QueueRuns({ storePath: folder, queue: "q" }, run);
    const onHost = (run: string, whenFull: WhenFull = "skip"): Partial<QueueRun> => ({
      onHost: { runs: runsOf(run), maxRuns: 1, whenFull },
    });

    test("finds all slots taken when it wants to work: it says so, fails, or waits until it is stopped", async () => {
      await publish(place.broker, { method: "closeOrder" });
      await runsOf("other").takeSlot({ max: 1 });
      expect(await ended(covering(onHost("one")))).toMatchObject({ ended: "full", holders: [{}], done: 0 });
      const failed = await ended(covering(onHost("two", "fail")));
      expect(failed).toMatchObject({ ended: "full", failure: { code: "RUNS_FULL" } });
      const stop = new AbortController();
      const waiting = start(covering({ ...onHost("three", "wait"), stop: stop.signal }));
      await until(() => runsOf("look").working().length === 2);
      stop.abort();
      await until(() => waiting.report !== undefined);
      expect(waiting.report?.queues).toMatchObject([{ ended: "stopped", done: 0 }]);
      expect(runsOf("look").working()).toHaveLength(1);
    });

    test("waits without a slot, and alone: a second one returns", async () => {
      await publish(place.broker, { method: "closeOrder", dueAt: at(5) });
      const waiting = start(covering(onHost("one")));
      await until(() => runsOf("look").waiting() !== undefined);
      expect(runsOf("look").working()).toEqual([]);
      expect(await ended(covering(onHost("two")))).toMatchObject({ ended: "due", left: 1 });
      await place.clock.advance(5 * MINUTE);
      await until(() => waiting.report !== undefined);
      expect(closedAt).toEqual([at(5)]);
      expect(runsOf("look").waiting()).toBeUndefined();
    });
  });
});

describe("waitUntil", () => {
  const lull = (wishes: Omit<Partial<Lull>, "depth"> & { depth?: Partial<Depth> }): Lull => ({
    ended: "empty",
    nowMs: 1_000,
    tickMs: 10_000,
    endsAtMs: Infinity,
    ...wishes,
    depth: { waiting: 0, delayed: 0, running: 0, dead: 0, ...wishes.depth },
  });

  test.each([
    ["nothing to wait for", lull({}), undefined],
    ["due before the tick", lull({ ended: "due", depth: { nextDueAt: 9_999 } }), 9_999],
    ["due at the tick", lull({ ended: "due", depth: { nextDueAt: 10_000 } }), undefined],
    ["due already", lull({ ended: "due", depth: { nextDueAt: 500 } }), 1_000],
    ["published meanwhile", lull({ depth: { waiting: 1 } }), 1_000],
    [
      "due after the run's end",
      lull({ ended: "due", endsAtMs: 5_000, depth: { nextDueAt: 5_000 } }),
      undefined,
    ],
    ["pause ends in time", lull({ ended: "paused", depth: { waiting: 1, pausedUntil: 3_000 } }), 3_000],
    ["pause, but nothing waits", lull({ ended: "paused", depth: { pausedUntil: 3_000 } }), undefined],
    [
      "due after the pause",
      lull({ ended: "paused", depth: { pausedUntil: 3_000, nextDueAt: 4_000 } }),
      4_000,
    ],
    ["pause for ever", lull({ ended: "paused", depth: { waiting: 1, pausedUntil: Infinity } }), undefined],
    ["stopped", lull({ ended: "stopped", depth: { waiting: 1 } }), undefined],
    ["max-tasks", lull({ ended: "max-tasks", depth: { waiting: 1 } }), undefined],
  ])("%s", (_, given, expected) => {
    expect(waitUntil(given)).toBe(expected);
  });
});
