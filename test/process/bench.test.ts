import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { median } from "../../scripts/bench/median.mjs";
import { enter, faultIn, nobody, rollOf } from "../../scripts/bench/roll-call.mjs";
import { argsOf } from "../../scripts/bench/task.mjs";

const script = join(import.meta.dirname, "../../scripts/bench/bench.mjs");

/** The benchmark's answer; by no setting of this machine does it find other queues. */
const bench = (...args: string[]): { status: number | null; stdout: string; stderr: string } =>
  spawnSync(process.execPath, [script, ...args], {
    encoding: "utf8",
    env: { ...process.env, MEMQ_BENCH_PEERS: "" },
  });

// It fails by itself when a task is lost, doubled or dead; how long anything takes is not looked at.
test("the benchmark's measurements come to right results with small numbers", { timeout: 600_000 }, () => {
  const { status, stdout, stderr } = bench("--smoke");
  expect(stderr).not.toContain("failed");
  expect(status).toBe(0);
  expect(stdout).toContain("| bulk publish of 600 |");
  expect(stdout).toMatch(/^\| bulk publish of 2,000 \| file .* of its floor\)/m);
  expect(stdout).not.toMatch(/NaN|failed|undefined/);
});

test.each([
  ["--only", "drian", 'there is no "drian"; there are publish, drain, command, death, million'],
  ["--rounds", "0", '"0" is not a whole number from 1 to 99'],
  ["--peers", "nowhere", 'there is no folder "nowhere"'],
  ["--round", "3", "Unknown option '--round'"],
])("%s %s is refused by the benchmark before anything is measured", (option, value, said) => {
  const { status, stdout, stderr } = bench(option, value);
  expect(stderr).toContain(said);
  expect(stdout).toBe("");
  expect(status).toBe(64);
});

describe("a roll call", () => {
  const sent = rollOf({ first: 0, count: 1_000 });
  const arrived = (...numbers: readonly number[]): string | undefined => {
    const roll = nobody();
    for (const nth of numbers) enter(roll, argsOf(nth)[0]);
    return faultIn(sent, roll);
  };
  const all = Array.from({ length: 1_000 }, (_, nth) => nth);

  test("finds nothing when all came, in whatever order", () => {
    expect(arrived(...all.toReversed())).toBeUndefined();
  });

  test("finds a task that did not come, and one that came twice", () => {
    expect(arrived(...all.slice(1))).toBe("999 of 1000 tasks arrived");
    expect(arrived(...all, 5)).toBe("1001 of 1000 tasks arrived");
  });

  test("finds tasks that came in place of others, even when their numbers add up", () => {
    expect(arrived(...all.with(7, 8))).toBe("a task arrived twice in place of another");
    expect(arrived(...all.with(1, 2).with(4, 3))).toBe("a task arrived twice in place of another");
  });
});

test("a median is the middle figure, or the mean of the two in the middle", () => {
  expect(median([9, 1, 5])).toBe(5);
  expect(median([9, 1, 5, 6])).toBe(5.5);
  expect(median([])).toBeNaN();
});
