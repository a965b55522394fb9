import { expect, test } from "vitest";
import { whyText, type Circumstances } from "../../../src/cli/why-text.ts";
import type { QueueConfig } from "../../../src/config/config.ts";
import { ticksOf } from "../../../src/cron/ticks.ts";
import type { TaskRecord } from "../../../src/task/task.ts";

const NOW = new Date(2026, 0, 1, 8, 5).getTime();
const MINUTE = 60_000;

const queue: QueueConfig = {
  name: "push",
  className: "Push",
  storePath: "/srv/memq-data",
  retryMs: [],
  timeoutMs: 1,
  concurrency: 1,
  maxTaskBytes: 1,
  bundle: "auto",
  maxRuns: 2,
  cover: false,
  warn: {},
};
const record: TaskRecord = {
  id: "7f3k",
  state: "waiting",
  task: { id: "7f3k", method: "send", args: ["hi"], bornAt: NOW },
  attempts: 0,
  at: NOW - 12 * MINUTE,
};

type Wishes = { readonly [K in keyof Circumstances]?: Partial<Circumstances[K]> };
const why = (wishes: Wishes = {}): string =>
  whyText({
    queue: { ...queue, ...wishes.queue },
    record: { ...record, ...wishes.record },
    view: {
      depth: { waiting: 5, delayed: 0, running: 0, dead: 0 },
      nowMs: NOW,
      records: [],
      working: 0,
      maxRuns: 2,
      lastRunAt: NOW - 5 * MINUTE,
      nextTick: ticksOf(10 * MINUTE),
      concurrency: 1,
      ...wishes.view,
    },
    holders: (wishes.holders ?? []) as Circumstances["holders"],
  });

test("a waiting task: since when, which run takes it, and what would take it now", () => {
  expect(why()).toBe(
    'Task 7f3k, Push.send("hi"), waits in queue push (embedded store at /srv/memq-data) since 2026-01-01 07:53:00 (12m). ' +
      "No run is at work on this queue on this host. " +
      "The next run that may take it starts at 2026-01-01 08:10:00 (in 5m). " +
      "runjobs -q push runs what is due now.",
  );
});

test("runs at work are named, and that no further one may join them", () => {
  const holders = [1, 2].map((pid) => ({ name: `host:${String(pid)}`, sinceMs: NOW - MINUTE }));
  const text = why({ holders, view: { working: 2 } });
  expect(text).toContain("2 runs of at most 2 (host:1 since 2026-01-01 08:04:00, host:2 since");
  expect(text).toContain("max-runs would have to be raised");
});

test("a late run is pointed at", () => {
  expect(why({ view: { lastRunAt: NOW - 34 * MINUTE } })).toContain(
    "But there was no run for 34 min, expected every 10 min: look at cron.",
  );
});

test("without `every` nobody knows when the next run starts", () => {
  expect(why({ view: { nextTick: undefined } })).toContain("set every in config.ini");
});

test("a pause is named, and the run after it", () => {
  const pausedUntil = NOW + 7 * MINUTE;
  const text = why({ view: { depth: { waiting: 5, delayed: 0, running: 0, dead: 0, pausedUntil } } });
  expect(text).toContain("The queue is paused until 2026-01-01 08:12:00");
  expect(text).toContain("starts at 2026-01-01 08:20:00");
  const forEver = { waiting: 5, delayed: 0, running: 0, dead: 0, pausedUntil: Infinity };
  expect(why({ view: { depth: forEver } })).toContain("paused until it is resumed");
});

test("a delayed task: when it falls due, and the first run after that", () => {
  const text = why({ record: { state: "delayed", at: NOW + 16 * MINUTE } });
  expect(text).toContain("falls due at 2026-01-01 08:21:00 (in 16m).");
  expect(text).toContain("starts at 2026-01-01 08:30:00 (in 25m).");
  expect(text).toContain("memq cancel 7f3k removes it before that.");
});

test("with cover it runs when it falls due", () => {
  const delayed = { state: "delayed", at: NOW + 16 * MINUTE } as const;
  expect(why({ record: delayed, queue: { cover: true } })).toContain(
    "The run that covers that time (cover = on) takes it at 2026-01-01 08:21:00.",
  );
});

test("a running task: who holds it, and what happens when the holder dies", () => {
  const text = why({
    record: { state: "running", holder: "host:77", attempts: 2, at: NOW + 28_000, error: "no" },
  });
  expect(text).toContain("is being run out of queue push (embedded store at /srv/memq-data) by host:77.");
  expect(text).toContain("This is attempt 2; the last one that failed said: no.");
  expect(text).toContain("Its lease ends in 28s unless it is renewed");
});

test("a task whose holder has ended: the next run takes it, and when that is", () => {
  const text = why({ record: { state: "running", attempts: 1, at: NOW } });
  expect(text).toContain("was being run out of queue push");
  expect(text).toContain("when the run that held it ended.");
  expect(text).toContain("No run is at work on this queue on this host.");
  expect(text).not.toContain("lease");
});

test("a dead letter: what it says, and what puts it back", () => {
  const text = why({ record: { state: "dead", attempts: 5, error: "no such user\u001b[2J\n" } });
  expect(text).toContain("is a dead letter of queue push");
  expect(text).toContain("It says: no such user\\u001b[2J.");
  expect(text).toContain("memq retry 7f3k puts it back");
});

test("workers take it as soon as one is free, whenever the next run starts", () => {
  expect(why({ view: { workers: 2 } })).toBe(
    'Task 7f3k, Push.send("hi"), waits in queue push (embedded store at /srv/memq-data) since 2026-01-01 07:53:00 (12m). ' +
      "2 workers on this host: whichever is free first takes it when its turn comes. " +
      "runjobs -q push runs what is due now.",
  );
});
