import { describe, expect, test } from "vitest";
import { Budget } from "../../../src/run/budget.ts";

const budgetOf = (limits: ConstructorParameters<typeof Budget>[0], now = (): number => 0): Budget =>
  new Budget(limits, { now, upMs: now });

test("a budget without limits is never reached", () => {
  const budget = budgetOf({});
  for (let i = 0; i < 1_000; i++) budget.taskStarted();
  expect(budget.reached(1e9)).toBeUndefined();
  expect(budget.tasksLeft).toBe(Infinity);
});

test("max-tasks is reached with the last one, and tells how many are left", () => {
  const budget = budgetOf({ maxTasks: 2 });
  expect([budget.tasksLeft, budget.reached(0)]).toEqual([2, undefined]);
  budget.taskStarted();
  expect([budget.tasksLeft, budget.reached(0)]).toEqual([1, undefined]);
  budget.taskStarted();
  expect([budget.tasksLeft, budget.reached(0)]).toEqual([0, "max-tasks"]);
});

test("max-tasks of 0 starts nothing", () => {
  expect(budgetOf({ maxTasks: 0 }).reached(0)).toBe("max-tasks");
});

test("max-time is reached for a task that would not fit, not for one that would", () => {
  let now = 500;
  const budget = budgetOf({ maxTimeMs: 1_000 }, () => now);
  now = 1_300;
  expect(budget.reached(200)).toBeUndefined();
  expect(budget.reached(201)).toBe("max-time");
  expect(budget.reached(0)).toBeUndefined();
  now = 1_501;
  expect(budget.reached(0)).toBe("max-time");
});

test("max-time is the same whatever the time of day is set to meanwhile", () => {
  let upMs = 0;
  let nowMs = 10_000_000;
  const budget = new Budget({ maxTimeMs: 1_000 }, { now: () => nowMs, upMs: () => upMs });
  nowMs -= 3_600_000;
  upMs = 990;
  expect([budget.leftMs, budget.endsAtMs]).toEqual([10, nowMs + 10]);
  expect(budget.reached(10)).toBeUndefined();
  upMs = 1_001;
  expect(budget.reached(0)).toBe("max-time");
});

test("max-memory is reached by what the process has, and stays so", () => {
  let now = 0;
  const budget = budgetOf({ maxMemoryBytes: 1 }, () => now);
  expect(budget.reached(0)).toBeUndefined(); // what was in use before the first task keeps nobody from it
  budget.taskStarted();
  expect(budget.reached(0)).toBe("max-memory");
  now += 10;
  expect(budget.reached(0)).toBe("max-memory");
  expect(budgetOf({ maxMemoryBytes: 1e15 }).reached(0)).toBeUndefined();
});

test("a stop goes before all limits", () => {
  const budget = budgetOf({ maxTasks: 0 });
  budget.stop();
  expect(budget.reached(0)).toBe("stopped");
});

describe("a limit that is none is refused", () => {
  test.each([{ maxTasks: Number.NaN }, { maxTimeMs: -1 }, { maxMemoryBytes: "512M" as unknown as number }])(
    "%j",
    (limits) => {
      expect(() => budgetOf(limits)).toThrow(expect.objectContaining({ code: "USAGE" }));
    },
  );
});
