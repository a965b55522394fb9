import { closeSync, openSync, readSync } from "node:fs";
import { dirname, relative, resolve } from "node:path";
import { describeError, MemqError } from "../errors.ts";
import type { Config } from "./config.ts";
import type { Document } from "./document.ts";
import { describeFault, errorOf, type Fault, sortFaults } from "./fault.ts";
import { type Environment, type Flags, readEnvironment, readFlags } from "./layer.ts";
import { type ConfigInput, documentOf } from "./object.ts";
import { type Resolution, resolveDocument } from "./resolve.ts";
import { scan } from "./scan.ts";

export type { ConfigInput };

/** What a command knows when it looks for its configuration. */
export interface LoadOptions {
  /** As given with --config; relative to `cwd`. Default: `MEMQ_CONFIG`, else `config.ini` in `cwd`. */
  readonly path?: string;
  readonly env: Environment;
  readonly cwd: string;
  /** Settings from the command line; they hold for every queue. */
  readonly flags?: Flags;
}

/** A configuration and everything that is wrong with it. */
export interface Inspection {
  /** The parts without fault; undefined when the top level has one. */
  readonly config?: Config;
  readonly faults: readonly Fault[];
  /** All faults as one error; undefined when there are none. */
  readonly error?: MemqError;
}

const DEFAULT_FILE = "config.ini";
const CHUNK_BYTES = 16_384; // more than nearly every config.ini has
const MAX_FILE_BYTES = 1_048_576; // thousands of queues fit; what is larger is no config.ini

/**
 * Reads the configuration: flag > `MEMQ_` environment > file > default. Never looks into a parent folder.
 * @throws MemqError CONFIG_MISSING; CONFIG_INVALID with all faults at once; USAGE for a bad flag.
 */
export const loadConfig = (options: LoadOptions): Config => configIn(inspectConfig(options));

/**
 * As `loadConfig`, for those who go on with what is right: a wrong section harms only itself.
 * @throws MemqError CONFIG_MISSING; CONFIG_INVALID when the file cannot be read; USAGE for a bad flag.
 */
export function inspectConfig(options: LoadOptions): Inspection {
  const flags = readFlags(options.flags ?? {});
  if (flags.faults.length > 0) throw new MemqError("USAGE", flags.faults.map(describeFault).join("; "));
  const file = locate(options);
  const resolution = resolveDocument(documentIn(readBytes(file)), {
    file: file.path,
    folder: dirname(file.path),
    env: options.env,
    above: [flags, readEnvironment(options.env)],
  });
  return inspectionOf(resolution, file.shown);
}

/** Where an object's relative paths start, and where its `env:NAME` are looked up. */
export interface ObjectOptions {
  readonly cwd: string;
  readonly env: Environment;
}

/**
 * The configuration that an object describes, under the same checks as a file. `MEMQ_` variables do not
 * change it: code says what it means.
 * @throws MemqError CONFIG_INVALID with all faults at once.
 */
export function configOf(input: ConfigInput, { cwd, env }: ObjectOptions): Config {
  const resolution = resolveDocument(documentOf(input), { folder: resolve(cwd), env, above: [] });
  return configIn(inspectionOf(resolution, "the configuration object"));
}

function inspectionOf({ config, faults }: Resolution, where: string): Inspection {
  const sorted = sortFaults(faults);
  return {
    faults: sorted,
    ...(config !== undefined && { config }),
    ...(sorted.length > 0 && { error: errorOf(sorted, where) }),
  };
}

function configIn({ config, error }: Inspection): Config {
  if (error !== undefined) throw error;
  if (config === undefined) throw new MemqError("BUG", "a configuration without a fault came to nothing");
  return config;
}

interface Located {
  readonly path: string;
  /** What messages call it. */
  readonly shown: string;
  /** What named it, for the message that it is not there. */
  readonly by: string;
}

function locate({ path, env, cwd }: LoadOptions): Located {
  const variable = env["MEMQ_CONFIG"];
  const fromVariable = path === undefined && variable !== undefined && variable !== "";
  const named = path ?? (fromVariable ? variable : DEFAULT_FILE);
  if (named === "") throw new MemqError("CONFIG_MISSING", "the name of the configuration file is empty");
  const absolute = resolve(cwd, named);
  const inside = relative(cwd, absolute);
  const shown = inside === "" || inside.startsWith("..") ? absolute : inside;
  return { path: absolute, shown, by: fromVariable ? " (named by MEMQ_CONFIG)" : "" };
}

function readBytes({ path, shown, by }: Located): Buffer {
  try {
    return readUpTo(path, MAX_FILE_BYTES + 1);
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? "";
    if (code === "ENOENT" || code === "ENOTDIR") {
      throw new MemqError("CONFIG_MISSING", `there is no ${path}${by}`, { cause });
    }
    const why = code === "EISDIR" ? "it is a folder; name the file in it" : describeError(cause);
    throw new MemqError("CONFIG_INVALID", `${shown}${by} cannot be read: ${why}`, { cause });
  }
}

/** Bounded, and without asking for the size first: a pipe and /dev/zero have none. */
function readUpTo(path: string, maxBytes: number): Buffer {
  const file = openSync(path, "r");
  try {
    const chunks: Buffer[] = [];
    for (let left = maxBytes; left > 0; left -= chunks.at(-1)?.length ?? 0) {
      const chunk = Buffer.allocUnsafe(Math.min(left, CHUNK_BYTES));
      const length = readSync(file, chunk);
      if (length === 0) break;
      chunks.push(chunk.subarray(0, length));
    }
    return Buffer.concat(chunks);
  } finally {
    closeSync(file);
  }
}

function documentIn(bytes: Buffer): Document {
  if (bytes.length > MAX_FILE_BYTES) return unreadable("the file is larger than 1 MB: is it a config.ini?");
  const mark = bytes.subarray(0, 2).toString("hex");
  if (mark === "fffe" || mark === "feff") return unreadable("the file is UTF-16 text: save it as UTF-8");
  return scan(bytes.toString("utf8"));
}

function unreadable(says: string): Document {
  const origin = { kind: "file" } as const;
  return { top: { kind: "top", name: "", origin, entries: [] }, sections: [], faults: [{ origin, says }] };
}
