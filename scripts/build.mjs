// Builds dist: the types of the library with tsc, and library and commands as few files that load fast.
//   node scripts/build.mjs              always; a fault of type stops it
//   node scripts/build.mjs --for-tests  only when a source is newer than the last build; faults of type are
//                                       shown, and the tests run nevertheless
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { asFunction } from "./as-function.mjs";
import { inFewChunks } from "./chunks.mjs";

const root = dirname(import.meta.dirname);
const dist = join(root, "dist");
const stamp = join(dist, ".built");
const commands = ["publish-task", "runjobs", "memq"];

// Not bundled: a native addon, which finds its binary beside itself; a module that forks files of its
// own and is only used by resident commands; and a peer that may not be there.
const external = ["@photostructure/sqlite", "node-cron", "jiti"];

// Of memjs only its connection is used.
const MEMJS = "memjs/lib/memjs/server.js";

// What the text of a function is given instead: see src/cli/launch.ts.
const PLACE = { "import.meta.filename": "__filename", "import.meta.dirname": "__dirname" };
const SCOPE = { ...PLACE, "performance.now": "$now" };

const forTests = process.argv.includes("--for-tests");

if (forTests && !isStale()) process.exit(0);
await buildInto(join(root, `dist.${String(process.pid)}`));

/** @param {string} fresh */
async function buildInto(fresh) {
  const startedAt = new Date();
  try {
    if (!declareLibrary(fresh) && !forTests) {
      process.exitCode = 1;
      return;
    }
    await bundleLibrary(fresh);
    await bundleCommands(fresh);
    writeFileSync(join(fresh, ".built"), `${startedAt.toISOString()}\n`);
    swapIn(fresh);
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
}

/** @param {string} fresh */
function declareLibrary(fresh) {
  const tsc = fileURLToPath(import.meta.resolve("typescript/bin/tsc"));
  const args = [tsc, "-p", root, "--outDir", fresh, "--emitDeclarationOnly"];
  const { status } = spawnSync(process.execPath, args, { stdio: "inherit" });
  return status === 0;
}

/**
 * A file for each module would be two hundred for Node to find, read and link before the first task is published.
 * @param {string} fresh
 */
async function bundleLibrary(fresh) {
  await build({
    absWorkingDir: root,
    entryPoints: ["src/index.ts", "src/testing.ts", "src/handlers/worker.ts"],
    outbase: "src",
    outdir: fresh,
    chunkNames: "chunks/[name]-[hash]",
    bundle: true,
    splitting: true, // what is loaded on first use stays by itself
    format: "esm",
    platform: "node",
    target: "node20",
    external: [...external, MEMJS],
    alias: { memjs: MEMJS },
    minifySyntax: true,
    sourcemap: true,
    logLevel: "warning",
  });
}

/** @param {string} fresh */
async function bundleCommands(fresh) {
  const sources = commands.map((name) => `src/cli/${name}.ts`);
  const options = await inFewChunks({
    absWorkingDir: root,
    entryPoints: sources,
    outdir: join(fresh, "bin"),
    bundle: true,
    format: "esm",
    platform: "node",
    target: "node20",
    external,
    alias: { memjs: MEMJS },
    minifySyntax: true, // names and lines stay: stack traces are read by people
    define: SCOPE,
    logLevel: "warning",
  });
  const { metafile, outputFiles } = await build({ ...options, metafile: true, write: false });
  const hash = createHash("sha256");
  mkdirSync(join(fresh, "bin"));
  for (const { path, text } of outputFiles) {
    const chunk = asFunction(text);
    hash.update(chunk);
    writeFileSync(path, chunk);
  }
  writeFileSync(join(fresh, "bin", "LICENSES.txt"), licencesOf(Object.keys(metafile.inputs)));
  await buildLauncher(fresh, hash.digest("hex").slice(0, 12));
}

/**
 * What the commands start with, which loads the others.
 * @param {string} fresh
 * @param {string} hash of all that it loads
 */
async function buildLauncher(fresh, hash) {
  await build({
    absWorkingDir: root,
    entryPoints: ["src/cli/launch.ts"],
    outfile: join(fresh, "bin", "launch.cjs"),
    bundle: true,
    format: "cjs",
    platform: "node",
    target: "node20",
    define: { ...PLACE, BUILD: JSON.stringify(hash) },
    logLevel: "warning",
  });
}

/**
 * The licences of the packages whose code became part of the bundle: each asks to stand beside every copy.
 * @param {readonly string[]} inputs
 */
function licencesOf(inputs) {
  const names = new Set(inputs.flatMap((path) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1] ?? []));
  return [...names].sort().map(licenceOf).join("\n");
}

/** @param {string} name */
function licenceOf(name) {
  const folder = join(root, "node_modules", name);
  const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
  if (file === undefined) throw new Error(`${name} is bundled, but has no licence file`);
  return `${name}\n${"-".repeat(name.length)}\n${readFileSync(join(folder, file), "utf8")}`;
}

/**
 * Puts the new folder in the place of the old one in one go, so that commands that start meanwhile find all of it.
 * @param {string} fresh
 */
function swapIn(fresh) {
  const old = `${fresh}.old`;
  if (existsSync(dist)) renameSync(dist, old);
  renameSync(fresh, dist);
  rmSync(old, { recursive: true, force: true });
}

function isStale() {
  if (!existsSync(stamp)) return true;
  const builtAt = Date.parse(readFileSync(stamp, "utf8").trim()); // a line end makes it no date
  const sources = [
    "src",
    "package.json",
    "tsconfig.json",
    "scripts/build.mjs",
    "scripts/chunks.mjs",
    "scripts/as-function.mjs",
  ];
  return sources.some((path) => newestIn(join(root, path)) > builtAt);
}

/**
 * The latest change below a path; a folder's own time tells of files that were removed.
 * @param {string} path
 * @returns {number}
 */
function newestIn(path) {
  const status = statSync(path);
  if (!status.isDirectory()) return status.mtimeMs;
  return Math.max(status.mtimeMs, ...readdirSync(path).map((entry) => newestIn(join(path, entry))));
}
