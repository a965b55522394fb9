import { spawn, type ChildProcess } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { pipeline, Readable } from "node:stream";
import { fileURLToPath } from "node:url";

const SCRIPTS = fileURLToPath(new URL("../../scripts/", import.meta.url));

/** What a command that ended said. */
export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A command under way. */
export interface Running {
  readonly process: ChildProcess;
  readonly ended: Promise<Ended>;
}

type Command = "publish-task" | "runjobs" | "memq";
/** What a command reads on its standard input: a text at once, or one that comes by and by. */
type Input = string | Readable;

/** A user's project in a folder of its own, worked on with the real commands. */
export interface Project {
  readonly folder: string;
  start(command: Command, args?: readonly string[], input?: Input): Running;
  /** Starts it behind other words, such as those that change the namespace. */
  startOn(words: readonly string[], command: Command, args?: readonly string[]): Running;
  /** Starts a module of the project's folder. */
  startModule(name: string, args?: readonly string[]): Running;
  run(command: Command, args?: readonly string[], input?: Input): Promise<Ended>;
  /** The lines that handlers appended to a file of the project. */
  lines(name?: string): readonly string[];
  remove(): void;
}

/** Makes a project of a config.ini and a handler module `worker.mjs`. */
export function makeProject(files: { readonly config: string; readonly handler: string }): Project {
  const folder = mkdtempSync(join(tmpdir(), "memq-project-"));
  writeFileSync(join(folder, "config.ini"), files.config);
  writeFileSync(join(folder, "worker.mjs"), files.handler);
  const start: Project["start"] = (command, args = [], input) => launch({ folder, command, args, input });
  return {
    folder,
    start,
    startOn: (words, command, args = []) => launch({ folder, command, args, input: undefined, words }),
    startModule: (name, args = []) => launch({ folder, command: join(folder, name), args, input: undefined }),
    run: (command, args, input) => start(command, args, input).ended,
    lines: (name = "worker.log") => {
      const path = join(folder, name);
      return existsSync(path) ? readFileSync(path, "utf8").split("\n").slice(0, -1) : [];
    },
    remove: () => {
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

interface Launch {
  readonly folder: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly input: Input | undefined;
  readonly words?: readonly string[];
}

function launch({ folder, command, args, input, words = [] }: Launch): Running {
  const [file = "", ...rest] = [...words, process.execPath, resolve(SCRIPTS, command), ...args];
  const child = spawn(file, rest, {
    cwd: folder,
    env: { PATH: process.env["PATH"], HOME: folder },
    stdio: ["pipe", "pipe", "pipe"],
  });
  child.stdin.on("error", () => undefined); // a command that refuses its arguments does not read
  if (input instanceof Readable)
    pipeline(input, child.stdin, () => undefined); // it may be killed before the end
  else child.stdin.end(input ?? "");
  const said = { stdout: "", stderr: "" };
  child.stdout.setEncoding("utf8").on("data", (text: string) => (said.stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (said.stderr += text));
  const ended = new Promise<Ended>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) => {
      resolve({ code, signal, ...said });
    });
  });
  return { process: child, ended };
}

/** How often each line stands there. */
export function tally(lines: readonly string[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const line of lines) counts.set(line, (counts.get(line) ?? 0) + 1);
  return counts;
}
