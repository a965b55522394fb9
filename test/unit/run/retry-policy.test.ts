import { describe, expect, test } from "vitest";
import { decide, maxAttempts, type Failure } from "../../../src/run/retry-policy.ts";
import { giveUp, retryLater, verbOf } from "../../../src/task/outcome.ts";
import type { Task } from "../../../src/task/task.ts";

const task: Task = { id: "1", bornAt: 0, method: "push", args: [] };
const policy = { waitsMs: [10_000, 60_000, 600_000] };
const NOW = 1_000_000;

const failed = (attempt: number, thrown: unknown = new Error("no"), own: Partial<Task> = {}): Failure => ({
  task: { ...task, ...own },
  attempt,
  thrown,
  verb: verbOf(thrown) as Failure["verb"],
  nowMs: NOW,
  jitter: 0,
});

describe("a failed task", () => {
  test("is tried again after the policy's waits, then dead", () => {
    expect([1, 2, 3].map((attempt) => decide(failed(attempt), policy))).toEqual(
      policy.waitsMs.map((waitMs) => ({ kind: "retry", at: NOW + waitMs, error: "no" })),
    );
    expect(decide(failed(4), policy)).toEqual({ kind: "dead", reason: "no" });
  });

  test("under the policy none is dead at once", () => {
    expect(decide(failed(1), { waitsMs: [] })).toEqual({ kind: "dead", reason: "no" });
    expect(maxAttempts(task, { waitsMs: [] })).toBe(1);
  });

  test("with retries of its own has those, the last wait repeating", () => {
    expect(maxAttempts({ ...task, retries: 5 }, policy)).toBe(6);
    expect(decide(failed(5, "no", { retries: 5 }), policy)).toMatchObject({ at: NOW + 600_000 });
    expect(decide(failed(6, "no", { retries: 5 }), policy)).toMatchObject({ kind: "dead" });
    expect(decide(failed(1, "no", { retries: 0 }), policy)).toMatchObject({ kind: "dead" });
    expect(decide(failed(1, "no", { retries: 1 }), { waitsMs: [] })).toMatchObject({
      kind: "retry",
      at: NOW + 10_000,
    });
  });

  test("comes back up to a tenth later, so that those that failed together do not meet again", () => {
    expect(decide({ ...failed(1), jitter: 0.999 }, policy)).toMatchObject({ at: NOW + 10_999 });
    expect(decide({ ...failed(1), jitter: 0.999 }, { waitsMs: [500] })).toMatchObject({ at: NOW + 500 });
  });

  test("keeps what it said, cut where it is a dump", () => {
    expect(decide(failed(4, "x".repeat(100_000)), policy)).toEqual({
      kind: "dead",
      reason: "x".repeat(4_096),
    });
  });
});

describe("retryLater", () => {
  test("means that many more runs at that interval, whatever the policy says", () => {
    const thrown = retryLater("busy", { times: 5, delay: "2s" });
    for (const attempt of [1, 2, 3, 4, 5]) {
      expect(decide(failed(attempt, thrown), { waitsMs: [] })).toEqual({
        kind: "retry",
        at: NOW + 2_000,
        error: "busy",
        askedFrom: attempt,
      });
    }
    for (const attempt of [2, 3, 4, 5])
      expect(decide({ ...failed(attempt, thrown), askedFrom: 1 }, { waitsMs: [] })).toMatchObject({
        kind: "retry",
        askedFrom: 1,
      });
    expect(decide({ ...failed(6, thrown), askedFrom: 1 }, policy)).toEqual({ kind: "dead", reason: "busy" });
  });

  test("counts from when it was first said, not from what failed in other ways before", () => {
    const thrown = retryLater("busy", { times: 3, delay: "2s" });
    expect(decide(failed(3, thrown), policy)).toMatchObject({ kind: "retry", askedFrom: 3 });
    for (const attempt of [4, 5])
      expect(decide({ ...failed(attempt, thrown), askedFrom: 3 }, policy)).toMatchObject({ kind: "retry" });
    expect(decide({ ...failed(6, thrown), askedFrom: 3 }, policy)).toMatchObject({ kind: "dead" });
  });

  test("does not help what fails in other ways meanwhile: that follows the policy, and is counted", () => {
    expect(decide({ ...failed(2), askedFrom: 1 }, policy)).toMatchObject({ kind: "retry", askedFrom: 1 });
    expect(decide({ ...failed(4), askedFrom: 3 }, policy)).toMatchObject({ kind: "dead" });
    const again = retryLater("busy", { times: 3 });
    expect(decide({ ...failed(4, again), askedFrom: 1 }, policy)).toMatchObject({ kind: "dead" });
  });

  test("without times follows the policy, with its own delay exact", () => {
    expect(decide({ ...failed(1, retryLater("busy", { delay: "1h" })), jitter: 0.9 }, policy)).toMatchObject({
      at: NOW + 3_600_000,
    });
    expect(decide(failed(2, retryLater("busy")), policy)).toMatchObject({ at: NOW + 60_000 });
    expect(decide(failed(4, retryLater("busy")), policy)).toMatchObject({ kind: "dead" });
  });

  test("may ask for no more runs, and for one at once", () => {
    expect(decide(failed(1, retryLater("busy", { times: 0 })), policy)).toMatchObject({ kind: "dead" });
    expect(decide(failed(1, retryLater("busy", { delay: 0 })), policy)).toMatchObject({
      kind: "retry",
      at: NOW,
    });
  });
});

test("giveUp means no more runs", () => {
  expect(decide(failed(1, giveUp("no such user")), policy)).toEqual({ kind: "dead", reason: "no such user" });
});
