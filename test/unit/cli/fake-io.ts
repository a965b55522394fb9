import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { PassThrough, Writable } from "node:stream";
import type { Io } from "../../../src/cli/io.ts";
import { open, type Memq } from "../../../src/memq.ts";

/** What a command said. */
export interface Said {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** How a fake process differs from one that cron started. */
export interface FakeProcess {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  /** Everything on standard input; with `isTerminal` what somebody types. */
  readonly input?: string | Buffer;
  readonly isTerminal?: boolean;
}

type Main = (argv: readonly string[], io: Io) => Promise<number>;

/** Runs a command's `main` with streams of its own. */
export async function say(main: Main, argv: readonly string[], fake: FakeProcess = {}): Promise<Said> {
  const [stdout, stderr] = [new Collected(fake.isTerminal), new Collected(fake.isTerminal)];
  const stdin = Object.assign(new PassThrough(), { isTTY: fake.isTerminal === true });
  stdin.end(fake.input ?? "");
  const cwd = fake.cwd ?? tmpdir();
  const code = await main(argv, { stdin, stdout, stderr, env: fake.env ?? {}, cwd: () => cwd });
  return { code, out: stdout.text, err: stderr.text };
}

class Collected extends Writable {
  readonly isTTY: boolean;
  text = "";

  constructor(isTTY = false) {
    super({ decodeStrings: false });
    this.isTTY = isTTY;
  }

  override _write(piece: string | Buffer, _encoding: string, done: () => void): void {
    this.text += String(piece);
    done();
  }
}

const WORKER = `
import { appendFileSync } from "node:fs";
export default class Worker {
  saveToLocal(msg = "default data") { appendFileSync("./worker.log", msg + "\\n"); }
  fail(why) { throw new Error(why); }
  greet(name) { return "hello " + name; }
}
`;

/** A folder with a config.ini and a handler. */
export interface Folder {
  readonly path: string;
  write(name: string, text: string): string;
  /** The commands' `main`, run in this folder. */
  say(main: Main, argv: readonly string[], fake?: FakeProcess): Promise<Said>;
  /** The configuration, to set a scene with the library; closed by `remove`. */
  memq(): Promise<Memq>;
  remove(): Promise<void>;
}

/** Makes a folder; `config` undefined: an empty one. */
export function makeFolder(config: string | undefined): Folder {
  const path = realpathSync(mkdtempSync(join(tmpdir(), "memq-cli-")));
  const opened: Memq[] = [];
  const write = (name: string, text: string): string => {
    const file = join(path, name);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
    return file;
  };
  if (config !== undefined) {
    write("config.ini", config);
    write("handlers/worker.mjs", WORKER);
  }
  const before = process.cwd();
  return {
    path,
    write,
    say: (main, argv, fake) => say(main, argv, { cwd: path, ...fake }),
    memq: async () => {
      const memq = await open(join(path, "config.ini"));
      opened.push(memq);
      return memq;
    },
    remove: async () => {
      process.chdir(before); // commands work in the folder of the configuration
      for (const memq of opened) await memq.close();
      rmSync(path, { recursive: true });
    },
  };
}
