import { cpus, release, totalmem, type } from "node:os";

/** @typedef {{ name: string, versions: string, keeps: string, settings: string }} Description */

/**
 * The page that holds the table, for people who were not there.
 * @param {{ lines: readonly string[], descriptions: readonly Description[], skipped: readonly string[], rounds: number }} found
 */
export const pageOf = ({ lines, descriptions, skipped, rounds }) => `# Benchmarks

Written by \`npm run bench\`; [bench.md](bench.md) says how to run it and how each row is measured. Absolute figures
differ between machines and days: the ratios, measured in turn within one run, are what to look at.

- The machine: ${machine()}.
- Medians of ${String(rounds)} interleaved rounds; what concerns a million tasks, and kills, is measured once.

${lines.join("\n")}

Latency from a publish to the handler of an idle worker is not measured: there is no worker that waits yet.

## What was measured

| | versions | a published task is in | used with |
|---|---|---|---|
${descriptions.map(({ name, versions, keeps, settings }) => `| ${name} | ${versions} | ${keeps} | ${settings} |`).join("\n")}
${skipped.map((line) => `\n- ${line}`).join("")}`;

function machine() {
  const [processor] = cpus();
  const gib = Math.round(totalmem() / 2 ** 30);
  const kernel = release().split(".").slice(0, 2).join("."); // the rest names a build
  const model = processor?.model ?? "unknown processor";
  return `${model}, ${String(cpus().length)} cores, ${String(gib)} GiB; ${type()} ${kernel}; Node ${process.version}`;
}
