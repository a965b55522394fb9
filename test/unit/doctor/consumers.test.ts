import { expect, test } from "vitest";
import { judgeConsumers, type Consumers } from "../../../src/doctor/consumers.ts";
import type { Depth } from "../../../src/ports/broker.ts";

const NOW = 1_700_000_000_000;
const nobody: Consumers = { workers: [], stuck: [], working: 0, every: [], lastRunAt: undefined };
const backlog: Depth = { waiting: 12, delayed: 0, running: 0, dead: 0, oldestWaitingAt: NOW - 300_000 };
const empty: Depth = { waiting: 0, delayed: 0, running: 0, dead: 0 };

test("a backlog that nobody takes is a warning, with what to do", () => {
  const [verdict, ...others] = judgeConsumers(nobody, backlog, NOW);
  expect(others).toEqual([]);
  expect(verdict).toMatchObject({ check: "consumers", verdict: "warn", exit: 0 });
  expect(verdict?.says).toContain("12 waiting, the oldest for 5m, and nobody here takes them");
  expect(verdict?.fix).toContain("memq crontab install, or memq work");
});

test.each<[string, Partial<Consumers>, Depth | undefined, string]>([
  ["a worker", { workers: ["h:1"] }, backlog, "worker (h:1) lives"],
  [
    "workers",
    { workers: ["h:1", "h:2", "h:3", "h:4", "h:5", "h:6"] },
    backlog,
    "6 workers (h:1, h:2, h:3, h:4, h:5 and 1 more) live",
  ],
  ["a run", { working: 1 }, backlog, "1 run is at work"],
  ["a crontab line", { every: ["*/10 * * * *"] }, backlog, "runs start as planned: */10 * * * *"],
  ["every", { every: [600_000] }, backlog, "runs start as planned: every 10m"],
  ["a run since", { lastRunAt: NOW - 60_000 }, backlog, "(runs: the last 1m ago)"],
  ["nothing that waits", {}, empty, "(runs: none yet)"],
  ["nothing that is known", {}, undefined, "(runs: none yet)"],
  ["what has just come", {}, { ...backlog, oldestWaitingAt: NOW - 5_000 }, "no worker lives here"],
])("%s is in order", (_name, changes, depth, says) => {
  const verdicts = judgeConsumers({ ...nobody, ...changes }, depth, NOW);
  expect(verdicts).toMatchObject([{ check: "consumers", verdict: "ok" }]);
  expect(verdicts[0]?.says).toContain(says);
});

test("a worker that is blocked is a warning, and takes no backlog", () => {
  const verdicts = judgeConsumers({ ...nobody, workers: ["h:7"], stuck: ["h:7"] }, backlog, NOW);
  expect(verdicts).toMatchObject([
    { check: "consumers", verdict: "warn" },
    { check: "stuck", verdict: "warn", says: "worker (h:7) is blocked by a handler that does not come back" },
  ]);
});
