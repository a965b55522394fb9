import { expect, test } from "vitest";
import { mindIdleMemory } from "../../../src/cli/idle-memory.ts";

const MIB = 1_024 ** 2;

const saidOf = (mostBytes: number | undefined, ...taken: readonly number[]): readonly string[] => {
  const said: string[] = [];
  const mind = mindIdleMemory(mostBytes, (line) => said.push(line));
  for (const bytes of taken) mind(bytes);
  return said;
};

test("workers that take more than --max-memory before their first task are told of once", () => {
  expect(saidOf(30 * MIB, 58 * MIB, 59 * MIB)).toEqual([
    "a worker takes 58M before its first task, more than --max-memory: each ends after one task or so, and another takes its place",
  ]);
});

test("nothing is said of workers that may take what they do", () => {
  expect([...saidOf(undefined, 58 * MIB), ...saidOf(58 * MIB, 58 * MIB)]).toEqual([]);
});
