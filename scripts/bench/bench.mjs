// npm run bench: what memq does on both brokers, side by side with what the machine allows.
//   npm run bench                the table; also written to docs/benchmarks.md
//   npm run bench -- --smoke     small numbers, nothing written: fails on wrong results, never on time
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { cpus, release, tmpdir, totalmem, type } from "node:os";
import { join } from "node:path";
import { echoServer, embeddedPlace, memcachedPlace } from "./place.mjs";
import { FULL, rowsOf, SMOKE } from "./rows.mjs";

/** @typedef {import("./place.mjs").Place} Place */
/** @typedef {import("./rows.mjs").Row} Row */

const isSmoke = process.argv.includes("--smoke");
const folder = mkdtempSync(join(tmpdir(), "memq-bench-"));
const echo = await echoServer();
const places = [embeddedPlace(folder), await memcachedPlace(folder)].filter((place) => place !== undefined);
try {
  if (places.length === 1) console.error("memcached is skipped: it is not installed (not on PATH)");
  const text = await table();
  if (!isSmoke) writeFileSync(join(import.meta.dirname, "../../docs/benchmarks.md"), page(text));
} finally {
  for (const place of places) await place.close();
  echo.close();
  rmSync(folder, { recursive: true, force: true });
}

async function table() {
  /** @type {string[]} */
  const lines = [];
  const add = (/** @type {string} */ line) => {
    console.log(line); // a later row that fails does not take the earlier ones with it
    lines.push(line);
  };
  add(`| | ${places.map(({ name }) => name).join(" | ")} |`);
  add(`|---|${places.map(() => "---|").join("")}`);
  for (const row of rowsOf(isSmoke ? SMOKE : FULL, echo.port)) {
    add(`| ${row.name} | ${(await cellsOf(row)).join(" | ")} |`);
  }
  add(`| publish to handler on an idle worker | ${places.map(() => "no worker yet").join(" | ")} |`);
  return lines.join("\n");
}

/** All places and floors in turn, round by round: what the machine does beside it hits them alike. @param {Row} row */
async function cellsOf(row) {
  const found = places.map(() => ({
    figures: /** @type {number[]} */ ([]),
    floors: /** @type {number[]} */ ([]),
  }));
  for (let round = 0; round < row.rounds; round++) {
    for (const [nth, place] of places.entries()) {
      if (row.floor !== undefined) found[nth]?.floors.push(await row.floor(place));
      found[nth]?.figures.push(await row.measure(place));
    }
  }
  return found.map((cell) => cellOf(row, cell));
}

/** @param {Row} row @param {{ figures: readonly number[], floors: readonly number[] }} found */
function cellOf({ unit, floor }, { figures, floors }) {
  if (floor === undefined) return `${rounded(median(figures))} ${unit}`;
  if (unit.startsWith("+")) {
    return `+${rounded(median(figures.map((figure, nth) => figure - (floors[nth] ?? 0))))} ms`;
  }
  const ratio = median(figures.map((figure, nth) => figure / (floors[nth] ?? 1)));
  return `${rounded(median(figures))} ${unit} (${ratio.toFixed(1)}x of ${rounded(median(floors))})`;
}

/** @param {readonly number[]} figures */
function median(figures) {
  const sorted = [...figures].sort((one, other) => one - other);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

/** @param {number} figure */
function rounded(figure) {
  return figure >= 10 ? Math.round(figure).toLocaleString("en-US") : String(Number(figure.toFixed(2)));
}

/** @param {string} text */
function page(text) {
  const [processor] = cpus();
  const memcached = places.length === 1 ? "none" : versionOf("memcached");
  return `# Benchmarks

Written by \`npm run bench\`, which measures this machine anew. Absolute figures differ between machines and days;
the ratios to what the machine allows, measured in turn with them, are what to look at.

- A task is \`{"class":"PushWorker","method":"push","args":["1000001","<59 characters>"]}\`; its handler does nothing.
- Every measurement runs in a process of its own, with the default settings of memq; medians of interleaved rounds.
- The floor of the embedded store is a file (each line synced, or all lines and one sync), that of memcached a socket on
  loopback (each line echoed, or all lines sent and their echo awaited), that of a command \`node -e 0\`.
- Publishing to the embedded store is synced to disk; to memcached it is kept in memory. memcached runs with -m 4096 -M.
- The machine: ${processor?.model ?? "?"}, ${String(cpus().length)} cores, ${String(Math.round(totalmem() / 2 ** 30))} GiB; ${type()} ${release()}; Node ${process.version}; ${memcached}.

${text}
`;
}

/** @param {string} command */
function versionOf(command) {
  return execFileSync(command, ["--version"], { encoding: "utf8" }).trim();
}
