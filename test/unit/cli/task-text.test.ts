import { expect, test } from "vitest";
import { callText, recordJson } from "../../../src/cli/task-text.ts";
import { configOf } from "../../../src/config/load.ts";
import type { TaskRecord } from "../../../src/task/task.ts";

const [queue] = configOf({ classname: "Push" }, { cwd: "/srv", env: {} }).queues;
const record = (args: unknown[], more: Partial<TaskRecord> = {}): TaskRecord => ({
  id: "a1",
  state: "waiting",
  task: { id: "a1", bornAt: 0, method: "send", args: args as [] },
  attempts: 0,
  at: 0,
  ...more,
});

test("a call is written as one would write it, with the class that would run it", () => {
  expect(callText({ queue, record: record(["你好", 1, { a: null }]) }, 80)).toBe(
    'Push.send("你好", 1, {"a":null})',
  );
});

test("a long call is cut, however large its arguments are", () => {
  const text = callText({ queue, record: record(["x".repeat(900_000), "y"]) }, 40);
  expect(text).toHaveLength(40);
  expect(text).toMatch(/^Push\.send\("x+…$/);
});

test("a name that a stranger wrote is shown without what a terminal would act on", () => {
  const { task, ...rest } = record([]);
  const named = {
    ...rest,
    task: { ...task, id: "a1", bornAt: 0, args: [], class: "A\u001b[2J", method: "b\n" },
  };
  expect(callText({ queue, record: named }, 80)).toBe(String.raw`A\u001b[2J.b\n()`);
});

test("a call that is shown whole is shown whole", () => {
  const args = ["x".repeat(10_000), 2];
  expect(callText({ queue, record: record(args) }, Infinity)).toHaveLength(
    10_000 + 'Push.send("", 2)'.length,
  );
});

test("why bytes are no task is said in the place of the call", () => {
  const { task: _task, ...rest } = record([], {});
  const forged = { ...rest, fault: "TASK_FORGED: it has no signature" };
  expect(callText({ queue, record: forged }, 80)).toBe("(TASK_FORGED: it has no signature)");
  const buried = { ...forged, state: "dead", error: forged.fault } as const;
  expect(callText({ queue, record: buried }, 80)).toBe("(cannot be run)"); // the error is shown anyway
  expect(recordJson({ queue, record: forged })).toMatchObject({ broken: true, fault: forged.fault });
});

test("bytes that are no task are called so", () => {
  const { task: _task, ...broken } = record([], { state: "dead", error: "not JSON" });
  expect(callText({ queue, record: broken }, 80)).toBe("(the stored bytes are not a task)");
  expect(recordJson({ queue, record: broken })).toEqual({
    id: "a1",
    queue: "default",
    state: "dead",
    broken: true,
    attempts: 0,
    diedAt: "1970-01-01T00:00:00.000Z",
    error: "not JSON",
  });
});
