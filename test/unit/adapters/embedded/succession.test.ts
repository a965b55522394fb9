import { expect, test } from "vitest";
import { isGone, type HolderRow } from "../../../../src/adapters/embedded/succession.ts";

const LEASE_END = 1_000;
const BLOCKED_UNTIL = 5_000;
const BLOCKED_UNTIL_UP = 400;
const LATER_MS = 24 * 3_600_000;

const holder: HolderRow = {
  id: 1,
  host: "here",
  realm: "r",
  pid: 1,
  started_at: "1",
  lease_ends_at: LEASE_END,
  blocked_until: BLOCKED_UNTIL,
  blocked_until_up: null,
};

test.each([
  ["dead", 0, true],
  ["running", LEASE_END - 1, false],
  ["running", LEASE_END, false],
  ["running", BLOCKED_UNTIL - 1, false],
  ["running", BLOCKED_UNTIL, true],
  ["stopped", LEASE_END - 1, false],
  ["stopped", LEASE_END, true],
  ["unknown", LEASE_END - 1, false],
  ["unknown", LEASE_END, true],
] as const)("an owner that is %s at %i ms is gone: %s", (liveness, nowMs, gone) => {
  expect(isGone(holder, liveness, { nowMs, upMs: 0 })).toBe(gone);
});

test.each([
  ["running", LATER_MS, BLOCKED_UNTIL_UP - 1, false],
  ["running", 0, BLOCKED_UNTIL_UP, true],
  ["stopped", LEASE_END, 0, true],
  ["unknown", LEASE_END - 1, BLOCKED_UNTIL_UP, false],
] as const)("an owner that is %s at %i ms, %i ms after the host's start, is gone: %s", (...row) => {
  const [liveness, nowMs, upMs, gone] = row;
  const onBothClocks = { ...holder, blocked_until_up: BLOCKED_UNTIL_UP };
  expect(isGone(onBothClocks, liveness, { nowMs, upMs })).toBe(gone);
});
