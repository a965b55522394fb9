import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";

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
  ["--only", "drian", 'there is no "drian"; there are publish, drain, latency, command, death, million'],
  ["--rounds", "0", '"0" is not a whole number from 1 to 99'],
  ["--peers", "nowhere", 'there is no folder "nowhere"'],
  ["--round", "3", "Unknown option '--round'"],
])("%s %s is refused by the benchmark before anything is measured", (option, value, said) => {
  const { status, stdout, stderr } = bench(option, value);
  expect(stderr).toContain(said);
  expect(stdout).toBe("");
  expect(status).toBe(64);
});
