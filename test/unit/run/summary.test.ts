import { expect, test } from "vitest";
import type { QueueReport } from "../../../src/run/report.ts";
import { summaryLine, worthSaying } from "../../../src/run/summary.ts";

const reportOf = (wishes: Partial<QueueReport>): QueueReport => ({
  queue: "push",
  done: 3,
  retried: 0,
  dead: 0,
  left: 1,
  leasesLost: 0,
  losses: [],
  ms: 2_100,
  ended: "empty",
  ...wishes,
});
const line = (wishes: Partial<QueueReport>): string => summaryLine(reportOf(wishes));

const AT = new Date(2026, 0, 31, 8, 21).getTime();

test.each<[string, Partial<QueueReport>]>([
  ["drained", { ended: "empty" }],
  ["drained; 2 runs shared", { ended: "empty", shared: 2 }],
  ["other runs hold the rest", { ended: "held" }],
  ["the rest is not due yet: the next is at 2026-01-31 08:21:00", { ended: "due", until: AT }],
  ["the queue is paused until 2026-01-31 08:21:00", { ended: "paused", until: AT }],
  ["the queue is paused", { ended: "paused" }],
  ["drained; 1 task lost its lease and may run again", { leasesLost: 1 }],
  ["drained; 2 tasks lost their leases and may run again", { leasesLost: 2 }],
  ["drained; 1 task is not on record as run and may run again", { unrecorded: 1 }],
])("a run says what ended it: %s", (why, report) => {
  expect(line(report)).toBe(`memq push: 3 done, 0 retried, 0 dead, 1 left in 2.1s (${why})`);
});

test("a run that failed after it had done something is worth its line, and so is what it could not record", () => {
  expect(worthSaying(reportOf({}))).toBe(false);
  expect(worthSaying(reportOf({ ended: "failed" }))).toBe(true);
  expect(worthSaying(reportOf({ ended: "failed", done: 0 }))).toBe(false);
  expect(worthSaying(reportOf({ ended: "failed", done: 0, unrecorded: 1 }))).toBe(true);
});
