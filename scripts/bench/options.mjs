import { parseArgs } from "node:util";
import { existsSync, statSync } from "node:fs";
import { resolve } from "node:path";

export const TRIAL_NAMES = /** @type {const} */ ([
  "publish",
  "drain",
  "latency",
  "command",
  "death",
  "million",
]);
/** @typedef {typeof TRIAL_NAMES[number]} TrialName */

export const HELP = `npm run bench -- [options]

Measures memq on both brokers, what the machine allows, and other queues, in turn.
docs/bench.md says how to install the others; what is not there is skipped.

  --only NAMES    some of: ${TRIAL_NAMES.join(", ")}; nothing is written to docs
  --rounds N      of which the medians are shown (3)
  --peers FOLDER  where the other queues' packages of npm are (MEMQ_BENCH_PEERS)
  --smoke         small numbers, memq alone, nothing written: fails on wrong results, never on time
  --help
`;

const MAX_ROUNDS = 99;

/** What the command line cannot mean. */
export class UsageFault extends Error {}

/**
 * @param {readonly string[]} argv
 * @param {{ env: NodeJS.ProcessEnv, cwd: string }} surroundings
 * @throws {UsageFault}
 */
export function readOptions(argv, { env, cwd }) {
  const { only, rounds, peers = env["MEMQ_BENCH_PEERS"], smoke = false, help = false } = parsed(argv);
  return {
    only: only === undefined ? TRIAL_NAMES : namesIn(only),
    isWhole: only === undefined && !smoke,
    rounds: roundsIn(rounds ?? (smoke ? "1" : "3")),
    peers: peers === undefined || peers === "" ? undefined : folderAt(resolve(cwd, peers), peers),
    smoke,
    help,
  };
}

/** @param {readonly string[]} argv */
function parsed(argv) {
  try {
    return parseArgs({
      args: [...argv],
      options: {
        only: { type: "string" },
        rounds: { type: "string" },
        peers: { type: "string" },
        smoke: { type: "boolean" },
        help: { type: "boolean", short: "h" },
      },
    }).values;
  } catch (error) {
    throw new UsageFault(error instanceof Error ? error.message : String(error));
  }
}

/** @param {string} text @returns {readonly TrialName[]} */
function namesIn(text) {
  const wanted = text.split(",").map((name) => name.trim());
  const unknown = wanted.find((name) => !TRIAL_NAMES.some((known) => known === name));
  if (unknown !== undefined) {
    throw new UsageFault(`--only: there is no "${unknown}"; there are ${TRIAL_NAMES.join(", ")}`);
  }
  return TRIAL_NAMES.filter((name) => wanted.includes(name));
}

/** @param {string} text */
function roundsIn(text) {
  const rounds = Number(text);
  if (Number.isInteger(rounds) && rounds >= 1 && rounds <= MAX_ROUNDS) return rounds;
  throw new UsageFault(`--rounds: "${text}" is not a whole number from 1 to ${String(MAX_ROUNDS)}`);
}

/** @param {string} folder @param {string} said */
function folderAt(folder, said) {
  if (existsSync(folder) && statSync(folder).isDirectory()) return folder;
  throw new UsageFault(`--peers: there is no folder "${said}"`);
}
