// The tests that torture a queue on memcached, in their long form: docs/torture.md. The exit code is 0 only when no
// promise was broken and there are figures that say so.
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

/** Which tests, by the name that is given to --only. */
const PARTS = {
  kills: "memcached-torture",
  faults: "memcached-faults",
  full: "memcached-brimful",
  upsets: "memcached-upsets",
  hosts: "memcached-hosts",
  wire: "memcached-wire-chaos",
  calls: "calls-mix",
};

const USAGE = `npm run torture -- [--tasks 20000] [--kills 500] [--bundles 1,16,64] [--calls 5000] [--only ${Object.keys(PARTS).join(",")}]`;

const root = fileURLToPath(new URL("../..", import.meta.url));

process.exitCode = await main();

/** @returns {Promise<number>} */
async function main() {
  const wishes = read();
  if (typeof wishes === "string") {
    process.stderr.write(`${wishes}\n${USAGE}\n`);
    return 64;
  }
  const folder = mkdtempSync(join(tmpdir(), "memq-torture-"));
  try {
    const file = join(folder, "figures.jsonl");
    const beganAt = Date.now();
    const code = await runTests(wishes, file);
    const figures = existsSync(file) ? readFileSync(file, "utf8").trim().split("\n").map(parseFigures) : [];
    tell(figures, Math.round((Date.now() - beganAt) / 1_000));
    const isSilent =
      figures.length === 0 && wishes.parts.some((part) => part !== "faults" && part !== "wire");
    if (isSilent) process.stderr.write("torture: no figures came of it: nothing was tortured\n");
    return code === 0 && isSilent ? 1 : code;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What is asked for, or what is wrong with it. */
function read() {
  /** @type {{ tasks?: string, kills?: string, bundles?: string, calls?: string, only?: string }} */
  let values;
  try {
    const text = /** @type {const} */ ({ type: "string" });
    ({ values } = parseArgs({
      options: { tasks: text, kills: text, bundles: text, calls: text, only: text },
    }));
  } catch (error) {
    return String(error instanceof Error ? error.message : error);
  }
  const { tasks = "20000", kills = "500", bundles = "1,16,64", calls = "5000" } = values;
  const { only = Object.keys(PARTS).join(",") } = values;
  const isCount = (/** @type {string} */ word) => /^[1-9]\d{0,6}$/.test(word);
  const wrong = [tasks, kills, calls, ...bundles.split(",")].find((word) => !isCount(word));
  if (wrong !== undefined) return `"${wrong}" is no number`;
  const unknown = only.split(",").find((part) => !Object.hasOwn(PARTS, part));
  if (unknown !== undefined) return `there is no part "${unknown}"`;
  return { tasks, kills, bundles, calls, parts: /** @type {(keyof typeof PARTS)[]} */ (only.split(",")) };
}

/**
 * @param {{ tasks: string, kills: string, bundles: string, calls: string, parts: (keyof typeof PARTS)[] }} wishes
 * @param {string} figuresFile
 * @returns {Promise<number>}
 */
function runTests({ tasks, kills, bundles, calls, parts }, figuresFile) {
  const vitest = join(root, "node_modules", "vitest", "vitest.mjs");
  const files = parts.map((part) => `test/process/${PARTS[part]}.test.ts`);
  const env = {
    ...process.env,
    MEMQ_TORTURE_REPORT: figuresFile,
    MEMQ_TORTURE_TASKS: tasks,
    MEMQ_TORTURE_KILLS: kills,
    MEMQ_TORTURE_BUNDLES: bundles,
    MEMQ_TORTURE_CALLS: calls,
    MEMQ_CHAOS_RUNS: "200",
  };
  // One file after the other: a figure means little when another torture takes the processor.
  const words = [vitest, "run", "--no-file-parallelism", "--project", "process", ...files];
  const child = spawn(process.execPath, words, { cwd: root, env, stdio: "inherit" });
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => {
      resolve(code ?? 70);
    });
  });
}

/**
 * @param {string} line
 * @returns {{ name: string } & Record<string, string | number>}
 */
function parseFigures(line) {
  /** @type {unknown} */
  const figures = JSON.parse(line);
  return /** @type {{ name: string } & Record<string, string | number>} */ (figures);
}

/**
 * @param {readonly ({ name: string } & Record<string, string | number>)[]} all
 * @param {number} seconds
 */
function tell(all, seconds) {
  process.stdout.write("\n");
  for (const { name, ...figures } of all) {
    const texts = Object.entries(figures).map(([what, value]) => `${String(value)} ${what}`);
    process.stdout.write(`${name}: ${texts.join(", ")}\n`);
  }
  const sum = (/** @type {string} */ what) => all.reduce((total, one) => total + Number(one[what] ?? 0), 0);
  const words = [
    `${String(sum("lost") + sum("lost of them"))} lost`,
    `${String(sum("repeats"))} repeats`,
    `${String(sum("kills"))} kills`,
    `${String(seconds)} seconds`,
  ];
  process.stdout.write(`torture: ${words.join(", ")}\n`);
}
