import { expect, test } from "vitest";
import type { QueueReport } from "../../../src/run/report.ts";
import { summaryLine } from "../../../src/run/summary.ts";

const line = (wishes: Partial<QueueReport>): string =>
  summaryLine({
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

const AT = new Date(2026, 0, 31, 8, 21).getTime();

test.each<[string, Partial<QueueReport>]>([
  ["drained", { ended: "empty" }],
  ["drained; 2 runs shared", { ended: "empty", shared: 2 }],
  ["other runs hold the rest", { ended: "held" }],
  ["the rest is not due yet: the next is at 2026-01-31 08:21:00", { ended: "due", until: AT }],
  ["the queue is paused until 2026-01-31 08:21:00", { ended: "paused", until: AT }],
  ["the queue is paused", { ended: "paused" }],
])("a run says what ended it: %s", (why, report) => {
  expect(line(report)).toBe(`memq push: 3 done, 0 retried, 0 dead, 1 left in 2.1s (${why})`);
});
