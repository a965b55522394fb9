import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";

const bench = join(import.meta.dirname, "../../scripts/bench/bench.mjs");

// It fails by itself when a task is lost, doubled or dead; how long anything takes is not looked at.
test("the benchmark's measurements come to right results with small numbers", { timeout: 120_000 }, () => {
  const table = execFileSync(process.execPath, [bench, "--smoke"], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  });
  expect(table).toContain("| bulk publish of 600 |");
  expect(table).not.toContain("NaN");
});
