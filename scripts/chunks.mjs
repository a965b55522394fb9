// Decides which modules of the commands go into one file. Every command pays for each file it loads and for every
// line in it, used or not; esbuild alone makes a file for each set of modules that go together, some hundred.
import { readFileSync } from "node:fs";
import { isBuiltin } from "node:module";
import { join, relative } from "node:path";
import { build } from "esbuild";

/** @typedef {import("esbuild").Plugin} Plugin */
/** @typedef {Record<string, { imports: { path: string, kind: string, external?: boolean }[] }>} Inputs */

// What is loaded as a whole when it is loaded at all, by the modules that bring it.
const PARTS = {
  embedded: ["src/adapters/embedded/store.ts"],
  memcached: [
    "src/adapters/memcached/broker.ts",
    "src/adapters/memcached/memjs-wire.ts",
    "src/adapters/memcached/hardened-memjs.ts",
  ],
  run: [
    "src/run/run.ts",
    "src/run/run-options.ts",
    "src/run/budget.ts",
    "src/consumers.ts",
    "src/run/chronicle.ts",
    "src/run/registry.ts",
    "src/cli/late-strays.ts",
  ],
};

// Loaded by Node before any script: nothing is gained by taking them later.
const TAKEN_AT_ONCE = [
  "node:events",
  "node:fs",
  "node:module",
  "node:path",
  "node:url",
  "node:util",
  "node:vm",
];

/**
 * Takes the other modules of Node when something of them is first used.
 * @type {Plugin}
 */
const builtinsOnUse = {
  name: "builtins-on-use",
  setup(bundler) {
    bundler.onResolve({ filter: /^[a-z_:/]+$/ }, ({ path, kind }) => {
      if (!isBuiltin(path) || kind === "dynamic-import") return undefined;
      const name = `node:${path.replace("node:", "")}`;
      return TAKEN_AT_ONCE.includes(name)
        ? { path: name, external: true }
        : { path: name, namespace: "builtin" };
    });
    bundler.onLoad({ filter: /./, namespace: "builtin" }, ({ path }) => ({ contents: builtinOf(path) }));
  },
};

/** @param {string} path */
function builtinOf(path) {
  const names = Object.keys(/** @type {object} */ (process.getBuiltinModule(path))).join();
  return `let taken; for (const name of "${names}".split(","))
    Object.defineProperty(exports, name, { enumerable: true, get: () => (taken ??= process.getBuiltinModule("${path}"))[name] });`;
}

/**
 * The options of a build whose commands load one file for what all of them need, and one for each of the PARTS.
 * @param {import("esbuild").BuildOptions & { absWorkingDir: string, entryPoints: string[] }} options
 * @returns {Promise<import("esbuild").BuildOptions>}
 */
export async function inFewChunks(options) {
  const shared = { ...options, splitting: true };
  const { metafile } = await build({ ...shared, plugins: [builtinsOnUse], metafile: true, write: false });
  return { ...shared, plugins: [together(metafile.inputs, options), builtinsOnUse] };
}

/** @param {string} path */
const partOf = (path) => Object.entries(PARTS).find(([, paths]) => paths.includes(path))?.[0];

/**
 * esbuild puts modules into one file when the same entry points, commands and lazy imports, reach all of them. So
 * every entry point that reaches one module of a group is made to reach the others.
 * @param {Inputs} inputs
 * @param {{ absWorkingDir: string, entryPoints: string[] }} options
 * @returns {Plugin}
 */
function together(inputs, { absWorkingDir, entryPoints }) {
  const groups = groupsOf(inputs, entryPoints);
  const starts = new Set([...entryPoints, ...lazyImportsIn(inputs)]);
  const wrappers = Object.keys(inputs).filter(isWrapper);
  /** @param {string} entry */
  const imports = (entry) => {
    const reached = closureOf(inputs, entry);
    const wanted = groups.filter((group, nth) => nth === 0 || group.some((path) => reached.has(path)));
    const others = wanted.flat().filter((path) => path !== entry && !isWrapper(path));
    return ["memq:core", ...others.map((path) => join(absWorkingDir, path))];
  };
  return {
    name: "together",
    setup(bundler) {
      // One file to come in by for all that a part is asked for.
      bundler.onResolve({ filter: /\.ts$/ }, ({ path, kind, resolveDir }) => {
        const part =
          kind === "dynamic-import" ? partOf(relative(absWorkingDir, join(resolveDir, path))) : undefined;
        return part === undefined ? undefined : { path: part, namespace: "part" };
      });
      bundler.onLoad({ filter: /./, namespace: "part" }, ({ path }) => {
        const own = PARTS[/** @type {keyof typeof PARTS} */ (path)];
        const others = [...imports(own[0] ?? ""), ...own.map((file) => join(absWorkingDir, file))];
        const statements = others.map((other) => `import ${JSON.stringify(other)};`);
        const exports = own.map((file) => `export * from ${JSON.stringify(join(absWorkingDir, file))};`);
        return { contents: [...statements, ...exports].join(""), resolveDir: absWorkingDir };
      });
      bundler.onResolve({ filter: /^memq:core$/ }, () => ({ path: "core", namespace: "group" }));
      bundler.onLoad({ filter: /./, namespace: "group" }, () => ({
        // Reached, and not run.
        contents: `export const wrappers = () => [${wrappers.map((path) => `require("${path.slice("builtin:".length)}")`).join()}];`,
      }));
      bundler.onLoad({ filter: /\.ts$/ }, ({ path }) => {
        const name = path.slice(absWorkingDir.length + 1);
        if (!starts.has(name)) return undefined;
        const statements = imports(name).map((other) => `import ${JSON.stringify(other)};`);
        return { contents: statements.join("") + readFileSync(path, "utf8"), loader: "ts" };
      });
    },
  };
}

/**
 * The core, which is what commands share with anything else, and what more than one part needs; then the parts.
 * @param {Inputs} inputs
 * @param {readonly string[]} commands
 */
function groupsOf(inputs, commands) {
  const needs = commands.map((path) => closureOf(inputs, path));
  const others = lazyImportsIn(inputs).map((path) => closureOf(inputs, path));
  const parts = Object.values(PARTS).map(
    (paths) => new Set(paths.flatMap((path) => [...closureOf(inputs, path)])),
  );
  const core = Object.keys(inputs).filter((path) => {
    if (needs.every((all) => all.has(path))) return true;
    const inParts = parts.filter((all) => all.has(path)).length;
    const isShared =
      needs.some((all) => all.has(path)) && [...needs, ...others].filter((all) => all.has(path)).length > 1;
    return inParts > 1 || (inParts === 0 && isShared);
  });
  return [core, ...parts.map((all) => [...all].filter((path) => !core.includes(path)))];
}

/**
 * All modules that run when that one is imported.
 * @param {Inputs} inputs
 * @param {string} from
 */
function closureOf(inputs, from) {
  const seen = new Set([from]);
  for (const path of seen) {
    const imports = inputs[path]?.imports ?? [];
    for (const next of imports) if (next.kind !== "dynamic-import" && !next.external) seen.add(next.path);
  }
  return seen;
}

/** @param {Inputs} inputs */
const lazyImportsIn = (inputs) =>
  Object.values(inputs).flatMap(({ imports }) =>
    imports.filter(({ kind, external }) => kind === "dynamic-import" && !external).map(({ path }) => path),
  );

/** @param {string} path */
const isWrapper = (path) => path.startsWith("builtin:");
