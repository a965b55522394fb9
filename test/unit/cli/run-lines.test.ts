import { expect, test } from "vitest";
import { eventLine } from "../../../src/cli/run-lines.ts";
import type { RunEvent } from "../../../src/telemetry/events.ts";
import type { Task } from "../../../src/task/task.ts";

const ESCAPES = "\u001b[2J\nFrom: root\u0007";

const task: Task = { id: "k3f9-1", bornAt: 0, method: ESCAPES, args: [] };

const events: readonly RunEvent[] = [
  { kind: "done", queue: "push", task, ms: 1, result: ESCAPES },
  { kind: "retry", queue: "push", task, attempt: 1, at: 0, error: new Error(ESCAPES) },
  { kind: "dead", queue: "push", task, attempt: 1, error: ESCAPES },
  { kind: "handedBack", queue: "push", task, why: ESCAPES },
  { kind: "leaseLost", queue: "push", task },
  { kind: "unrecorded", queue: "push", task },
  { kind: "cancelled", queue: "push", task },
  { kind: "finding", queue: "push", finding: { kind: "buried", id: "k3f9-1", reason: ESCAPES } },
  { kind: "stray", queue: "push", error: ESCAPES },
];

test.each(events)("what a stranger wrote into a task is one harmless line of a run: $kind", (event) => {
  for (const verbose of [false, true]) {
    const line = eventLine(event, verbose, 0) ?? "";
    const isStack = verbose && "error" in event && event.error instanceof Error;
    expect(isStack ? line.replaceAll("\n", "") : line).not.toMatch(/[\u0000-\u001f]/);
  }
});

test("a method's name is cut to a line's length", () => {
  const long = { ...task, method: "m".repeat(100_000) };
  expect(eventLine({ kind: "leaseLost", queue: "push", task: long }, false, 0)?.length).toBeLessThan(300);
});
