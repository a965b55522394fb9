import { expect, test } from "vitest";
import { waitingHint } from "../../../src/run/waiting-hint.ts";

const seen = (idleMs: number, more: Partial<Parameters<typeof waitingHint>[0]> = {}) =>
  waitingHint({ effort: { ms: 100_000, idleMs }, tasks: 1_000, concurrency: 1, ...more });

test("a run that waited 98 % of its time is told to try twenty at a time", () => {
  expect(seen(98_000)).toBe("98 % of the time waiting: try concurrency = 20");
});

test("what is to be tried grows with what is run at a time, and ends at a hundred", () => {
  expect(seen(98_000, { concurrency: 4 })).toBe("98 % of the time waiting: try concurrency = 50");
  expect(seen(100_000, { concurrency: 50 })).toBe("99 % of the time waiting: try concurrency = 100");
  expect(seen(100_000, { concurrency: 100 })).toBeUndefined();
});

test("a run that was busy is told nothing", () => {
  expect(seen(79_000)).toBeUndefined();
  expect(seen(0)).toBeUndefined();
});

test("a run of quick tasks is told nothing: what it waits for is its queue", () => {
  expect(seen(98_000, { tasks: 20_001 })).toBeUndefined();
});

test("a short run, or one of few tasks, is told nothing", () => {
  expect(seen(0, { effort: { ms: 4_999, idleMs: 4_990 } })).toBeUndefined();
  expect(seen(98_000, { tasks: 15, concurrency: 4 })).toBeUndefined();
});
