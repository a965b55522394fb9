import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, extname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { MemqError, describeError } from "../errors.ts";
import { contextStore } from "./task-context.ts";
import { harmlessError } from "./thrown.ts";
import { within } from "./within.ts";

const EXTENSIONS: readonly string[] = [".mjs", ".js", ".ts"];

/** What one handler file exports, by export name. */
export interface HandlerFile {
  readonly path: string;
  readonly exports: Readonly<Record<string, unknown>>;
}

/** Where handlers are looked for; paths are absolute. */
export interface HandlerPlace {
  /** The `handlers` setting: a file or a folder. */
  readonly handlers?: string;
  /** The folder of config.ini. */
  readonly folder: string;
  readonly className: string;
}

/**
 * The handler files of a queue: the `handlers` setting, else the folder `handlers` beside config.ini,
 * else a file there that is named after the class (`Worker` or `worker`).
 * @throws MemqError HANDLER_MISSING when there is none.
 */
export function findHandlerFiles(place: HandlerPlace): readonly string[] {
  const start = place.handlers ?? defaultPlace(place);
  if (start === undefined) {
    throw new MemqError(
      "HANDLER_MISSING",
      `no handler for class "${place.className}": neither a folder "handlers" nor a file ` +
        `${place.className}.mjs, .js or .ts in ${place.folder}`,
    );
  }
  if (!existsSync(start)) throw new MemqError("HANDLER_MISSING", `handlers = ${start} is not there`);
  const files = filesAt(start);
  if (files.length === 0) throw new MemqError("HANDLER_MISSING", `no .mjs, .js or .ts file in ${start}`);
  return files;
}

function defaultPlace({ folder, className }: HandlerPlace): string | undefined {
  const inFolder = join(folder, "handlers");
  if (existsSync(inFolder)) return inFolder;
  const stems = [className, className.charAt(0).toLowerCase() + className.slice(1)];
  return stems
    .flatMap((stem) => EXTENSIONS.map((extension) => join(folder, stem + extension)))
    .find((path) => existsSync(path));
}

function filesAt(start: string): readonly string[] {
  try {
    return statSync(start).isDirectory() ? filesIn(start) : [start];
  } catch (cause) {
    throw new MemqError("HANDLER_MISSING", `${start} cannot be read: ${describeError(cause)}`, { cause });
  }
}

// Neither types nor tests that lie beside the handlers are handlers.
const NO_HANDLERS = /^[._]|\.d\.ts$|\.(?:test|spec)\.\w+$/;

const filesIn = (folder: string): readonly string[] =>
  readdirSync(folder)
    .filter((name) => EXTENSIONS.includes(extname(name)) && !NO_HANDLERS.test(name))
    .sort()
    .map((name) => join(folder, name));

// A file whose top-level await never ends would keep cron's runs waiting for ever, one behind the other.
const LOAD_MS = 30_000;

// It is handler code already, of no queue: several may share the file.
const LOADING = { queue: "", running: undefined };

/**
 * Imports one handler file, which may take `limitMs` at most.
 * @throws MemqError HANDLER_MISSING with the file and what it said.
 */
export async function importHandlerFile(path: string, limitMs = LOAD_MS): Promise<HandlerFile> {
  try {
    return { path, exports: await contextStore().run(LOADING, () => within(limitMs, importModule(path))) };
  } catch (thrown) {
    const cause = harmlessError(thrown); // a module can throw anything while it is loaded
    if (cause instanceof MemqError) throw cause;
    throw new MemqError(
      "HANDLER_MISSING",
      `${path} could not be loaded: ${cause.name}: ${describeError(cause)}${placeOf(cause, path)}`,
      { cause },
    );
  }
}

/** Where it happened, as far as the stack tells: ` (line 12)`. */
function placeOf(error: Error, path: string): string {
  const stack = error instanceof SyntaxError ? whatNodeSays(path) : (error.stack ?? "");
  const own = [pathToFileURL(path).href, path].map((name) => stack.split(`${name}:`)[1]);
  const line = own.map((rest) => LINE.exec(rest ?? "")?.[0]).find((found) => found !== undefined);
  return line === undefined ? "" : ` (line ${line})`;
}

/** A caught syntax error does not tell its place; `node --check` does, in the first line. */
const whatNodeSays = (path: string): string =>
  String(spawnSync(process.execPath, ["--check", path], { timeout: CHECK_MS }).stderr);
const CHECK_MS = 5_000;

const LINE = /^\d+/;

async function importModule(path: string): Promise<Record<string, unknown>> {
  try {
    return (await import(pathToFileURL(path).href)) as Record<string, unknown>;
  } catch (thrown) {
    const error = harmlessError(thrown);
    if (extname(path) !== ".ts" || !isBeyondNode(error)) throw error;
    return importWithJiti(path, error);
  }
}

// Node runs .ts itself from 22.18 on, but neither enums and the like nor imports without an extension.
const BEYOND_NODE = new Set([
  "ERR_UNKNOWN_FILE_EXTENSION",
  "ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX",
  "ERR_INVALID_TYPESCRIPT_SYNTAX",
  "ERR_MODULE_NOT_FOUND",
]);

const isBeyondNode = (error: Error): boolean =>
  error instanceof SyntaxError || BEYOND_NODE.has(codeOf(error));
const codeOf = (error: Error): string => (error as NodeJS.ErrnoException).code ?? "";

interface Jiti {
  createJiti(from: string): { import(path: string): Promise<Record<string, unknown>> };
}

/** `refused` is what Node said. */
async function importWithJiti(path: string, refused: Error): Promise<Record<string, unknown>> {
  const jiti = await loadJiti(path);
  if (jiti !== undefined) return jiti.createJiti(path).import(path);
  // Most likely a package is missing: Node's own words say which.
  if (codeOf(refused) === "ERR_MODULE_NOT_FOUND") throw refused;
  throw new MemqError(
    "HANDLER_MISSING",
    `${basename(path)} needs more than Node ${process.versions.node} can do with TypeScript: npm install jiti`,
    { cause: refused },
  );
}

/** jiti as the user's project has it, else as installed beside memq. */
async function loadJiti(path: string): Promise<Jiti | undefined> {
  for (const from of [path, import.meta.filename]) {
    try {
      const found = createRequire(from).resolve("jiti");
      return (await import(pathToFileURL(found).href)) as Jiti;
    } catch {
      continue; // not there: the next place
    }
  }
  return undefined;
}
