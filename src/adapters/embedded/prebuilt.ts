import { closeSync, existsSync, openSync, readdirSync, statSync } from "node:fs";
import { dirname, join } from "node:path";

/** The package that brings SQLite where Node's own is missing or too old. */
export const PACKAGE = "@photostructure/sqlite";

/**
 * The binary that the package holds for this system, without the package's own way to it: to search for the
 * file and to read the parts of the package that the store has no use for takes a command 5 ms. Undefined wherever
 * the way is not this plain (a build of the user's own, another layout): then the package is loaded as usual.
 */
export function loadPrebuilt(): unknown {
  const file = prebuiltFile();
  if (file === undefined) return undefined;
  const addon: { exports: unknown } = { exports: {} };
  try {
    process.dlopen(addon, file);
  } catch {
    return undefined; // the package tries, and fails with a reason
  }
  return addon.exports;
}

function prebuiltFile(): string | undefined {
  const folder = packageFolder();
  // Somebody who compiled it, or names another binary, wants that one.
  if (folder === undefined || process.env["@PHOTOSTRUCTURE/SQLITE_PREBUILD"] !== undefined) return undefined;
  if (existsSync(join(folder, "build"))) return undefined;
  const prebuilds = join(folder, "prebuilds", `${process.platform}-${process.arch}`);
  const libc =
    process.platform === "linux" && existsSync("/etc/alpine-release") ? ".musl.node" : ".glibc.node";
  const names = namesIn(prebuilds).filter((name) => name.endsWith(libc));
  return names.length === 1 ? join(prebuilds, names[0] ?? "") : undefined;
}

function packageFolder(): string | undefined {
  let folder = import.meta.dirname;
  for (;;) {
    const candidate = join(folder, "node_modules", PACKAGE);
    if (existsSync(join(candidate, "package.json"))) return candidate;
    const above = dirname(folder);
    if (above === folder) return undefined;
    folder = above;
  }
}

/** The part of the package, or of the way to it, that this user may not read; undefined when there is none. */
export function unreadablePart(from = import.meta.dirname): string | undefined {
  const modules = join(from, "node_modules");
  const folder = join(modules, PACKAGE);
  const ways = [modules, dirname(folder), folder, join(folder, "prebuilds")].filter((path) =>
    isBarred(path, true),
  );
  const way =
    ways[0] ?? [join(folder, "package.json"), ...binariesIn(folder)].find((path) => isBarred(path, false));
  const above = dirname(from);
  return way ?? (above === from ? undefined : unreadablePart(above));
}

const binariesIn = (folder: string): readonly string[] => {
  const prebuilds = join(folder, "prebuilds", `${process.platform}-${process.arch}`);
  return [prebuilds, ...namesIn(prebuilds).map((name) => join(prebuilds, name))];
};

/** It is there, and this user is kept out. */
function isBarred(path: string, isFolder: boolean): boolean {
  try {
    if (isFolder) statSync(`${path}/.`);
    else closeSync(openSync(path, "r"));
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EACCES";
  }
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return []; // nothing is built for this system
  }
}
