// npm run bench: what memq does on both brokers, side by side with other queues and with what the machine allows.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { contendersHere, descriptionOf } from "./contenders.mjs";
import { Ground } from "./ground.mjs";
import { HELP, readOptions, UsageFault } from "./options.mjs";
import { pageOf } from "./page.mjs";
import { Place } from "./place.mjs";
import { head, linesOf } from "./table.mjs";
import { held } from "./trial.mjs";
import { command } from "./trials/command.mjs";
import { death } from "./trials/death.mjs";
import { drain } from "./trials/drain.mjs";
import { latency } from "./trials/latency.mjs";
import { million } from "./trials/million.mjs";
import { publish } from "./trials/publish.mjs";

const PAGE = join(import.meta.dirname, "../../docs/benchmarks.md");
const REPEATS = 3; // of what is short, and so more at the mercy of noise
const FULL = { each: 1_000, drain: 100_000, many: 1_000_000, repeats: REPEATS };
/** Wrong results show with small numbers too. */
const SMOKE = { each: 20, drain: 600, many: 2_000, repeats: 1 };
const TRIALS = { publish, drain, latency, command, death, million };
const USAGE = 64;

/** @typedef {ReturnType<typeof readOptions>} Options */

process.exitCode = await main(process.argv.slice(2));

/** @param {readonly string[]} argv */
async function main(argv) {
  try {
    const options = readOptions(argv, { env: process.env, cwd: process.cwd() });
    if (!options.help) return await measured(options);
    process.stdout.write(HELP);
    return 0;
  } catch (error) {
    if (!(error instanceof UsageFault)) throw error;
    console.error(`bench: ${error.message}`);
    return USAGE;
  }
}

/** @param {Options} options */
async function measured(options) {
  const folder = mkdtempSync(join(tmpdir(), "memq-bench-"));
  process.on("exit", () => {
    rmSync(folder, { recursive: true, force: true });
  });
  // The exit ends what was started.
  for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM", "SIGHUP"])) {
    process.once(signal, () => process.exit(130));
  }
  const ground = await Ground.open(folder);
  try {
    return await table(options, { folder, ground });
  } finally {
    await ground.close();
  }
}

/** @param {Options} options @param {{ folder: string, ground: Ground }} where */
async function table(options, { folder, ground }) {
  const { contenders, skipped } = contendersHere(options);
  for (const line of skipped) console.error(line);
  const { peers = "" } = options;
  const arena = {
    contenders,
    ground,
    open: (/** @type {import("./contenders.mjs").Contender} */ contender) =>
      Place.open(contender, { above: folder, peers }),
    tell,
  };
  const sizes = { ...(options.smoke ? SMOKE : FULL), rounds: options.rounds };
  const lines = [head(contenders)];
  console.log(lines[0]);
  let failures = 0;
  for (const name of options.only) {
    const outcome = await held(TRIALS[name](sizes), arena);
    const found = linesOf(outcome);
    console.log(found.join("\n")); // a later trial that fails does not take the earlier ones with it
    lines.push(...found);
    failures += [...outcome.found].filter(
      ([{ isOurs }, { failure }]) => isOurs && failure !== undefined,
    ).length;
  }
  const descriptions = contenders.map((contender) => descriptionOf(contender, options.peers));
  if (options.isWhole && failures === 0)
    writeFileSync(PAGE, pageOf({ lines, descriptions, skipped, rounds: options.rounds }));
  return failures === 0 ? 0 : 1;
}

/** @param {string} line */
function tell(line) {
  console.error(`${(performance.now() / 1_000).toFixed(0)} s: ${line}`);
}
