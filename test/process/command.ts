import { spawn, type ChildProcess } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const SCRIPTS = fileURLToPath(new URL("../../scripts/", import.meta.url));

/** How a command is started. */
export interface Start {
  readonly cwd: string;
  readonly env?: NodeJS.ProcessEnv;
  /** On standard input, which is then closed. */
  readonly input?: string | Buffer;
  /** What a shell does with stdout, e.g. `> /dev/full`. */
  readonly redirect?: string;
}

/** A command under way, with what it has said so far. */
export interface Started {
  readonly process: ChildProcess;
  readonly said: { stdout: string; stderr: string };
  /** Resolves when it has said this on stderr. */
  stderr(pattern: RegExp): Promise<void>;
  readonly ended: Promise<Ended>;
}

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Starts a command as a shell script or cron would: no terminal, next to no environment. */
export function start(command: string, args: readonly string[], options: Start): Started {
  const { cwd, env, input = "", redirect } = options;
  const words = [process.execPath, join(SCRIPTS, command), ...args];
  const [file = "", ...rest] =
    redirect === undefined ? words : ["/bin/sh", "-c", `"$0" "$@" ${redirect}`, ...words];
  const child = spawn(file, rest, { cwd, env: { PATH: process.env["PATH"], ...env } });
  const said = { stdout: "", stderr: "" };
  child.stdout.setEncoding("utf8").on("data", (text: string) => (said.stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (said.stderr += text));
  child.stdin.on("error", () => undefined); // a command that refuses its arguments does not read
  child.stdin.end(input);
  const ended = new Promise<Ended>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) => {
      resolve({ code, signal, ...said });
    });
  });
  return {
    process: child,
    said,
    ended,
    stderr: (pattern) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          if (pattern.test(said.stderr)) resolve();
        };
        child.stderr.on("data", look);
        child.on("close", () => {
          reject(new Error(`it ended without saying ${String(pattern)}: ${said.stderr}`));
        });
        look();
      }),
  };
}

/** Starts a command and waits for its end. */
export const run = (command: string, args: readonly string[], options: Start): Promise<Ended> =>
  start(command, args, options).ended;
