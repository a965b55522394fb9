import { expect, test } from "vitest";
import { readProgress } from "../../../src/run/progress-word.ts";
import { RunningCall } from "../../../src/run/running-call.ts";
import type { Progress } from "../../../src/task/result.ts";

test.each([
  [[3, 10], { done: 3, total: 10 }],
  [[0, 0], { done: 0, total: 0 }],
  [[2.5], { done: 2.5 }],
])("progress%j is told as it is", (words, progress) => {
  expect(readProgress(...(words as [unknown]))).toEqual({ progress });
});

test.each([
  [["x"], undefined, `progress("x") is not told`],
  [[-1, 3], undefined, "progress(-1, 3) is not told"],
  [[NaN, 3], undefined, "progress(NaN, 3) is not told"],
  [[{}], undefined, "progress(object) is not told"],
  [[Symbol("s")], undefined, "progress(symbol) is not told"],
  [[5, 3], { done: 5 }, "progress(5, 3) is told without its total"],
  [[5, null], { done: 5 }, "progress(5, object) is told without its total"],
])("of progress that makes no sense what does is told, and why (%#)", (words, progress, fault) => {
  const read = readProgress(...(words as [unknown]));
  expect(read.progress).toEqual(progress);
  expect(read.fault).toContain(fault);
});

test("progress that makes no sense is said once in a run, and harms no task", () => {
  const said: string[] = [];
  const told: Progress[] = [];
  const place = {
    queue: "default",
    say: (line: string) => void said.push(line),
    report: (_claim: unknown, progress: Progress) => Promise.resolve(void told.push(progress)),
  };
  for (const id of ["a-1", "a-2"]) {
    const task = { id, method: "say", args: [], bornAt: 0 };
    const call = new RunningCall({ task, receipt: id, attempt: 1, alone: false }, place);
    const progress = call.progress as (...words: unknown[]) => void;
    progress("x");
    progress(5, 3);
  }
  expect(told).toMatchObject([{ done: 5 }, { done: 5 }]);
  expect(said).toEqual([expect.stringMatching(/^a-1: progress\("x"\) is not told/)]);
});
