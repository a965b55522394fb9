import { expect, test } from "vitest";
import { MAX_BATCH } from "../../../src/ports/broker.ts";
import { ClaimSize } from "../../../src/run/claim-size.ts";

/** The sizes of claims, one after the other, by tasks that take so long. */
function sizes(concurrency: number, taskMs: number, rounds: number): number[] {
  const size = new ClaimSize(concurrency);
  return Array.from({ length: rounds }, () => {
    const next = size.next(concurrency);
    for (let i = 0; i < Math.min(next, 50); i++) size.taskEnded(taskMs);
    return next;
  });
}

test("of tasks that do nothing hundreds are claimed, after growing at most twofold", () => {
  const grown = sizes(1, 0.001, 12);
  expect(grown.at(-1)).toBeGreaterThanOrEqual(256);
  expect(grown.at(-1)).toBeLessThanOrEqual(MAX_BATCH);
  expect(grown[0]).toBe(1);
  for (const [index, next] of grown.entries())
    expect(next).toBeLessThanOrEqual(Math.max(4, 2 * (grown[index - 1] ?? 1)));
});

test("of slow tasks no more are claimed than lanes are free", () => {
  expect(new Set(sizes(1, 1_000, 10))).toEqual(new Set([1]));
  expect(new Set(sizes(8, 5_000, 10))).toEqual(new Set([8]));
  const size = new ClaimSize(8);
  size.taskEnded(1_000);
  expect(size.next(3)).toBe(3);
});

test("of tasks in between 50 ms of work are claimed", () => {
  expect(sizes(1, 5, 12).at(-1)).toBe(10);
  expect(sizes(4, 5, 12).at(-1)).toBe(40);
});

test("tasks that turn slow shrink the next claim", () => {
  const size = new ClaimSize(1);
  for (let i = 0; i < 10; i++) {
    size.next(1);
    size.taskEnded(0.01);
  }
  for (let i = 0; i < 5; i++) size.taskEnded(1_000);
  expect(size.next(1)).toBe(1);
});

test("no more wait for a lane than can be run in some seconds", () => {
  const size = new ClaimSize(2);
  expect(size.mostWaiting).toBeGreaterThanOrEqual(512);
  for (let i = 0; i < 100; i++) size.taskEnded(1_000);
  expect(size.mostWaiting).toBe(10);
  for (let i = 0; i < 100; i++) size.taskEnded(600_000);
  expect(size.mostWaiting).toBe(1);
});

test("a hiccup of a fast task's time hands back nothing", () => {
  const size = new ClaimSize(1);
  for (let i = 0; i < 100; i++) size.taskEnded(0.01);
  size.taskEnded(40);
  expect(size.mostWaiting).toBeGreaterThanOrEqual(512);
});
