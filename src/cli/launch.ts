import {
  appendFileSync,
  mkdirSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { Script } from "node:vm";
import type { Io } from "./io.ts";

// This file is built for itself and loads the others that the build makes of the sources: chunks. Most of what a
// command would cost is V8 reading them; the code it made of them is kept beside them, for the next command.

/** Says which build it was: other sources, other code. The build puts it in. */
declare const BUILD: string;

type Main = (argv: readonly string[], io: Io) => Promise<number>;
type Exports = Readonly<Record<string, unknown>>;
type Require = (name: string) => unknown;
type Import = (name: string) => Promise<unknown>;
type Clock = () => number;
/** What the text of a chunk is: see scripts/as-function.mjs. */
type Chunk = (...scope: readonly [Require, Import, Clock, filename: string, dirname: string]) => Exports;

const HERE = import.meta.filename;
const FOLDER = import.meta.dirname;

const HALTED = 70;

/** Starts a command of this package: the process ends with its exit code. */
export function launch(command: string): void {
  const chunks = new Chunks(command);
  const { main } = chunks.take(`./${command}.js`) as { main: Main };
  const atStart = chunks.count;
  let isUnderWay = true;
  // Node would end a command with 0 that waits for something that nobody is left to bring about.
  process.exitCode = HALTED;
  process.on("exit", (code) => {
    if (isUnderWay && code === HALTED) writeSync(STDERR, `${command}: came to a halt before its end [BUG]\n`);
    // A mere --help would keep next to nothing of what the others need.
    if (code === 0 && chunks.count > atStart && wasShort()) chunks.keepCode();
  });
  void main(process.argv.slice(2), process).then((code) => {
    isUnderWay = false;
    process.exitCode = code;
  });
}

const STDERR = 2;

/** A long call has let go of much of the code that it started with: V8 drops what has not run for a while. */
function wasShort(): boolean {
  const { user, system } = process.cpuUsage();
  return user + system < SHORT_US;
}
const SHORT_US = 500_000;

interface Loaded {
  readonly exports: Exports;
  readonly script: Script;
}

/** The chunks that a command has loaded. */
class Chunks {
  readonly #loaded = new Map<string, Loaded>();
  readonly #kept: KeptCode | undefined;

  constructor(command: string) {
    this.#kept = isPlainNode() ? new KeptCode(command) : undefined;
  }

  get count(): number {
    return this.#loaded.size;
  }

  readonly take: Require = (name) => {
    if (!name.startsWith("./")) return process.getBuiltinModule(name) ?? createRequire(HERE)(name);
    const known = this.#loaded.get(name);
    if (known !== undefined) return known.exports;
    const filename = join(FOLDER, name);
    const cachedData = this.#kept?.of(name);
    // Nothing but ASCII is in it, and V8 reads that fastest.
    const script = new Script(readFileSync(filename, "latin1"), { filename, cachedData });
    const chunk = script.runInThisContext() as Chunk;
    const exports = chunk(this.take, importModule, now, filename, FOLDER);
    this.#loaded.set(name, { exports, script });
    return exports;
  };

  keepCode(): void {
    const scripts = [...this.#loaded].map(([name, { script }]) => [name, script] as const);
    const isWhole = scripts.every(([, { cachedDataRejected }]) => cachedDataRejected === false);
    if (!isWhole || this.#kept?.isLearning === true) this.#kept?.keep(scripts);
  }
}

/** Taken as a function: a script whose code was kept cannot say `import`. */
const importModule: Import = (name) => import(name);

/** In ms, as `performance.now()`, which makes Node load ten modules when it is first said. */
const now: Clock = () => Number(process.hrtime.bigint()) / 1e6;

/** V8 takes no code that was made under other flags, and a coverage report counts what it made itself. */
const isPlainNode = (): boolean =>
  process.execArgv.length === 0 &&
  (process.env["NODE_OPTIONS"] ?? "") === "" &&
  process.env["NODE_V8_COVERAGE"] === undefined;

/**
 * The code that V8 made of a command's chunks. It lies beside them and belongs to whom they belong to, so that nobody
 * can slip code to anybody who could not change the chunks themselves. All of it can be removed at any time.
 */
class KeptCode {
  readonly #folder: string;
  /** A character for each call that kept code. */
  readonly #calls: string;

  constructor(command: string) {
    this.#folder = join(FOLDER, "code", `${BUILD}-${process.version}-${process.arch}`, command);
    this.#calls = join(this.#folder, "calls");
  }

  of(name: string): Buffer | undefined {
    try {
      return readFileSync(join(this.#folder, name));
    } catch {
      return undefined; // not made yet, or not for this user to read
    }
  }

  /** V8 makes code of what a call uses: a few calls know more than the first, and each adds to what was kept. */
  get isLearning(): boolean {
    return (statSync(this.#calls, { throwIfNoEntry: false })?.size ?? 0) < TEACHERS;
  }

  keep(scripts: readonly (readonly [name: string, Script])[]): void {
    if (process.getuid !== undefined && process.getuid() !== statSync(FOLDER).uid) return;
    try {
      mkdirSync(this.#folder, { recursive: true, mode: 0o755 });
      for (const [name, script] of scripts) put(join(this.#folder, name), script.createCachedData());
      appendFileSync(this.#calls, ".");
    } catch {
      // the folder is not to be written: commands start slower, and do the same
    }
  }
}

const TEACHERS = 3;

/** In one go, and flushed: others read it meanwhile, and V8 takes what has the right length, torn or not. */
function put(path: string, bytes: Buffer): void {
  const unfinished = `${path}.${String(process.pid)}`;
  writeFileSync(unfinished, bytes, { mode: 0o644, flush: true });
  renameSync(unfinished, path);
}
