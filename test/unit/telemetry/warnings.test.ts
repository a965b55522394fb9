import { expect, test } from "vitest";
import type { Depth } from "../../../src/ports/broker.ts";
import { warningsOf } from "../../../src/telemetry/warnings.ts";

const NOW = 10_000_000;
const depth = (waiting: number, oldestMs?: number): Depth => ({
  waiting,
  delayed: 5,
  running: 0,
  dead: 0,
  ...(oldestMs !== undefined && { oldestWaitingAt: NOW - oldestMs }),
});

test("a limit that is reached is said, with the limit", () => {
  const limits = { waiting: 10_000, oldestMs: 1_800_000 };
  expect(warningsOf(depth(10_000, 60_000), limits, NOW)).toEqual(["10000 tasks wait (warn = 10000 waiting)"]);
  expect(warningsOf(depth(1, 1_800_000), limits, NOW)).toEqual([
    "the oldest task waits for 30m (warn = 30m oldest)",
  ]);
  expect(warningsOf(depth(20_000, 4_000_000), limits, NOW)).toHaveLength(2);
});

test("below the limits, and without any, nothing is said", () => {
  expect(warningsOf(depth(9_999, 1_799_999), { waiting: 10_000, oldestMs: 1_800_000 }, NOW)).toEqual([]);
  expect(warningsOf(depth(1_000_000, 9_000_000), {}, NOW)).toEqual([]);
  expect(warningsOf(depth(0), { waiting: 1, oldestMs: 1 }, NOW)).toEqual([]);
});
