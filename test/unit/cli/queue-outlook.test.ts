import { describe, expect, test } from "vitest";
import { lateText, outlook, type QueueView } from "../../../src/cli/queue-outlook.ts";
import { ticksOf } from "../../../src/cron/ticks.ts";
import type { RunRecord } from "../../../src/host/run-record.ts";
import type { Depth } from "../../../src/ports/broker.ts";
import { virtualClock } from "../../../src/testing.ts";

const MINUTE = 60_000;
const clock = virtualClock(Date.UTC(2026, 0, 1, 8));

const record = (done: number, workedMs: number, ended = "empty"): RunRecord => ({
  run: "host:1:a",
  queue: "push",
  who: "host:1",
  startedAt: clock.now() - workedMs,
  state: "ended",
  end: {
    kind: "ended",
    run: "host:1:a",
    queue: "push",
    at: clock.now(),
    host: "host",
    pid: 1,
    startedAt: clock.now() - workedMs,
    workedMs,
    done,
    retried: 0,
    dead: 0,
    ended,
  },
});

const view = (wishes: Omit<Partial<QueueView>, "depth"> & { depth?: Partial<Depth> } = {}): QueueView => ({
  nowMs: clock.now(),
  records: [],
  working: 0,
  maxRuns: 4,
  lastRunAt: undefined,
  nextTick: undefined,
  concurrency: 1,
  ...wishes,
  depth: { waiting: 0, delayed: 0, running: 0, dead: 0, ...wishes.depth },
});

const waiting = (count: number, oldestMs: number): Partial<Depth> => ({
  waiting: count,
  oldestWaitingAt: clock.now() - oldestMs,
});

test("nothing is said of a queue that is well", () => {
  expect(outlook(view())).toEqual([]);
  expect(outlook(view({ depth: waiting(10, 5_000), records: [record(100, 1_000)] }))).toEqual([]);
});

test("what waits, and when it is worked off at this pace", () => {
  const records = [record(1_000, 10 * MINUTE)];
  const [first] = outlook(view({ depth: waiting(4_000, 12 * MINUTE), records, working: 1 }));
  expect(first).toBe("oldest waits 12 min, clear in about 40 min at this pace");
});

test("the time until the next run counts when none is at work, and runs at work share the queue", () => {
  const about = { depth: waiting(4_000, 12 * MINUTE), records: [record(1_000, 10 * MINUTE)] };
  const nextTick = ticksOf(10 * MINUTE);
  expect(outlook(view({ ...about, nextTick, lastRunAt: clock.now() }))[0]).toContain("clear in about 50 min");
  expect(outlook(view({ ...about, working: 4 }))[0]).toContain("clear in about 10 min");
});

test("without a run to judge by there is no pace", () => {
  expect(outlook(view({ depth: waiting(5, 12 * MINUTE) }))).toEqual([
    "oldest waits 12 min, no run has shown its pace yet",
  ]);
});

describe("what was lost", () => {
  const lost = (at: number): Partial<QueueView> => ({
    toldLosses: [{ at, text: "an unknown number of tasks were lost (restart)" }],
  });

  test("is said first while no run has told it", () => {
    const losses = [{ at: clock.now(), cause: "eviction", atLeast: 12 }] as const;
    expect(outlook(view({ losses, depth: { dead: 1 } }))[0]).toBe(
      "at least 12 tasks were lost (eviction); the next run or worker says it too",
    );
  });

  test("is said for a week after it was told", () => {
    const day = 1_440 * MINUTE;
    expect(outlook(view(lost(clock.now() - day)))).toEqual([
      expect.stringMatching(/^an unknown number of tasks were lost \(restart\), found out 2025-12-31 /),
    ]);
    expect(outlook(view(lost(clock.now() - 8 * day)))).toEqual([]);
  });
});

test("dead letters are said, with what shows them", () => {
  expect(outlook(view({ depth: { dead: 1 } }))[0]).toMatch(/^1 dead letter: memq list dead/);
});

describe("advice, when it takes longer than the time between two runs", () => {
  const slow = [record(600, 10 * MINUTE)];

  test("all runs are at work: raise max-runs or concurrency", () => {
    const texts = outlook(view({ depth: waiting(60_000, MINUTE), records: slow, working: 4 }));
    expect(texts[1]).toBe("all 4 runs are at work: raise max-runs, or concurrency (now 1)");
  });

  test("tasks that take their time: raise concurrency, or start more runs", () => {
    const texts = outlook(view({ depth: waiting(6_000, MINUTE), records: slow, working: 1 }));
    expect(texts[1]).toBe(
      "a task takes about 1.0s, 1 at a time in a run: raise concurrency, or start more runs",
    );
  });

  test("fast tasks: start runs more often", () => {
    const records = [record(100_000, 10 * MINUTE)];
    const texts = outlook(view({ depth: waiting(1_000_000, MINUTE), records, working: 1 }));
    expect(texts[1]).toMatch(/^a task takes about 6ms: start runs more often/);
  });
});

describe("late runs", () => {
  const every = ticksOf(10 * MINUTE);
  const lastRunAt = Date.UTC(2026, 0, 1, 8, 0, 2);
  const lateAt = (minutes: number, wishes: Parameters<typeof view>[0] = {}): string | undefined =>
    lateText(view({ nextTick: every, lastRunAt, nowMs: Date.UTC(2026, 0, 1, 8, minutes), ...wishes }));

  test("are said once the next one is overdue by more than a minute", () => {
    expect(lateAt(9)).toBeUndefined();
    expect(lateAt(11)).toBeUndefined();
    expect(lateAt(12)).toBe("no run for 12 min, expected every 10 min");
    expect(lateAt(34)).toBe("no run for 34 min, expected every 10 min");
  });

  test("are none while one is at work", () => {
    expect(lateAt(34, { working: 1 })).toBeUndefined();
  });

  test("are none outside the hours of a cron expression", () => {
    const office = ticksOf("*/10 8-17 * * *");
    const evening = Date.UTC(2026, 0, 1, 17, 50, 2);
    const lateOn = (nowMs: number): string | undefined =>
      lateText(view({ nextTick: office, lastRunAt: evening, nowMs }));
    expect(lateOn(Date.UTC(2026, 0, 2, 3))).toBeUndefined();
    expect(lateOn(Date.UTC(2026, 0, 2, 8, 0, 30))).toBeUndefined();
    expect(lateOn(Date.UTC(2026, 0, 2, 8, 5))).toBe("no run for 14 h, expected every 10 min");
  });

  test("are unknown without `every`", () => {
    expect(lateText(view({ lastRunAt: 0 }))).toBeUndefined();
  });

  test("on a host without any run count once a task has waited for one in vain", () => {
    const never = (oldestMs: number): string | undefined =>
      lateText(view({ nextTick: every, depth: waiting(1, oldestMs) }));
    expect(lateText(view({ nextTick: every }))).toBeUndefined();
    expect(never(5 * MINUTE)).toBeUndefined();
    expect(never(15 * MINUTE)).toBe("no run on this host yet, expected every 10 min");
  });
});

test("no run is late while workers live, and what they did shows no pace", () => {
  const late = { nextTick: ticksOf(10 * MINUTE), lastRunAt: clock.now() - 60 * MINUTE };
  expect(outlook(view(late))).toHaveLength(1);
  expect(outlook(view({ ...late, workers: 1 }))).toEqual([]);
  const records = [{ ...record(10, 60 * MINUTE), worker: true as const }];
  const [first] = outlook(view({ depth: waiting(4_000, 12 * MINUTE), records, workers: 1 }));
  expect(first).toBe("oldest waits 12 min, no run has shown its pace yet");
});
