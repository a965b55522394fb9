import { spawn } from "node:child_process";
import type { Io } from "./io.ts";
import { scriptPath } from "./package-files.ts";
import type { ChildRun } from "./residence.ts";

/** How `runjobs` is started as a child. */
export interface Launch {
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly io: Pick<Io, "cwd">;
}

/** Starts `runjobs` in a process of its own, with this process's output. */
export function launchRun({ args, env, io }: Launch): ChildRun {
  const child = spawn(process.execPath, [scriptPath("runjobs"), ...args], {
    cwd: io.cwd(),
    env,
    stdio: ["ignore", "inherit", "inherit"],
    // Ctrl-C at a terminal goes to a whole group: the run would get it twice, and twice means at once.
    detached: true,
  });
  return {
    name: child.pid === undefined ? "run" : `run ${String(child.pid)}`,
    ended: new Promise((resolve, reject) => {
      child.on("error", reject);
      child.on("exit", (code, signal) => {
        resolve(signal ?? `exit ${String(code)}`);
      });
    }),
    stop: (signal) => void child.kill(signal),
  };
}

/** A command line without an option and its value. What stands behind `--` is no option. */
export function withoutOption(argv: readonly string[], option: string): readonly string[] {
  const end = argv.indexOf("--");
  const isOption = (at: number): boolean => (end === -1 || at < end) && argv[at] === option;
  const isWhole = (word: string, at: number): boolean =>
    (end === -1 || at < end) && word.startsWith(`${option}=`);
  return argv.filter((word, at) => !isOption(at) && !isOption(at - 1) && !isWhole(word, at));
}
