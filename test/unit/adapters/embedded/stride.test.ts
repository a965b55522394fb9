import { expect, test } from "vitest";
import { Stride } from "../../../../src/adapters/embedded/stride.ts";

/** The sizes of the notes of as many starts, of tasks that take so long. */
function sizes(starts: number, taskMs: (nth: number) => number, atOnce = 1): readonly number[] {
  let nowMs = 0;
  const stride = new Stride(() => nowMs);
  const found: number[] = [];
  for (let nth = 0; nth < starts;) {
    const size = stride.next(atOnce);
    stride.noted(size);
    found.push(size);
    for (let more = 0; more < size; more++) nowMs += taskMs(nth++);
  }
  return found;
}

test("tasks of a millisecond are noted one by one, however many they are", () => {
  expect(new Set(sizes(2_000, () => 1))).toEqual(new Set([1]));
});

test("of tasks that take no time more and more are noted at once, when many have shown it", () => {
  const found = sizes(1_000, () => 0.01);
  expect(found.slice(0, 64)).toEqual(Array.from({ length: 64 }, () => 1));
  expect(found.slice(64, 72)).toEqual([2, 4, 8, 16, 32, 64, 64, 64]);
});

test("a note covers a millisecond of work", () => {
  expect(sizes(500, () => 0.125).at(-1)).toBe(8);
  expect(sizes(500, () => 0.7).at(-1)).toBe(1);
});

test("a task that takes longer ends it", () => {
  const found = sizes(1_000, (nth) => (nth === 300 ? 100 : 0.01));
  const afterwards = found.slice(found.lastIndexOf(64, found.indexOf(1, 70)) + 1);
  expect(afterwards.slice(0, 64)).toEqual(Array.from({ length: 64 }, () => 1));
});

test("slow tasks that begin at the same time are noted one by one", () => {
  expect(new Set(sizes(2_000, (nth) => (nth % 20 === 19 ? 1_000 : 0.01), 20))).toEqual(new Set([1]));
  expect(new Set(sizes(2_000, (nth) => (nth % 500 === 499 ? 1_000 : 0.01), 500))).toEqual(new Set([1]));
});

test("what is done between tasks is not counted among them", () => {
  let nowMs = 0;
  const stride = new Stride(() => nowMs);
  for (let nth = 0; nth < 70; nth++) {
    stride.noted(stride.next(1));
    stride.interrupt();
    nowMs += 50;
    stride.resume();
    nowMs += 0.01;
  }
  expect(stride.next(1)).toBeGreaterThan(1);
});

test("slow tasks that are each settled before the next one starts are noted one by one", () => {
  let nowMs = 0;
  const stride = new Stride(() => nowMs);
  for (let nth = 0; nth < 200; nth++) {
    const size = stride.next(1);
    expect(size).toBe(1);
    stride.noted(size);
    nowMs += 6;
    stride.interrupt();
    nowMs += 0.1;
    stride.resume();
    nowMs += 0.01;
  }
});
