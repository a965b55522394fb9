import { spawn } from "node:child_process";
import { accessSync, constants, statSync } from "node:fs";
import { delimiter, join } from "node:path";
import { describeError, MemqError } from "../errors.ts";
import type { Table } from "./table.ts";

/** The command `crontab` of this machine: the only way to a user's table that every cron has. */
export interface CrontabCommand {
  /** The table; undefined: there is none yet. @throws MemqError CRONTAB_UNUSABLE */
  read(): Promise<Table | undefined>;
  /** Puts a whole table in place, or leaves the old one. @throws MemqError CRONTAB_UNUSABLE */
  write(table: Table): Promise<void>;
}

const MAX_SECONDS = 30; // it only copies a file; a name service that hangs may keep it
const MAX_BYTES = 16 * 1_024 ** 2; // no table is larger

/** Finds it on PATH. @throws MemqError CRONTAB_UNUSABLE when there is none. */
export function findCrontab(env: NodeJS.ProcessEnv): CrontabCommand {
  const path = (env["PATH"] ?? "")
    .split(delimiter)
    .filter((folder) => folder.startsWith("/")) // the current folder is anybody's
    .map((folder) => join(folder, "crontab"))
    .find(isExecutable);
  if (path === undefined) {
    throw new MemqError(
      "CRONTAB_UNUSABLE",
      'there is no command "crontab" on this machine: install cron (apt install cron), or use a timer ' +
        "(memq crontab print --systemd)",
    );
  }
  const run = (argument: string, input?: Buffer): Promise<Answer> =>
    ask({ path, argument, input, env: { ...env, LC_ALL: "C" } });
  return {
    read: async () => tableIn(await run("-l")),
    write: async (table) => {
      refuseFailure("crontab -", await run("-", Buffer.from(table, "latin1")));
    },
  };
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false; // not there, or not for us: the next folder
  }
}

interface Answer {
  readonly code: number | null;
  readonly out: Buffer;
  readonly err: string;
}

/** Any other failure than "there is none" must not be taken for an empty table: writing would wipe it. */
function tableIn(answer: Answer): Table | undefined {
  if (answer.code === 1 && answer.out.length === 0 && /\bno crontab for\b/.test(answer.err)) return undefined;
  refuseFailure("crontab -l", answer);
  return answer.out.toString("latin1");
}

function refuseFailure(what: string, { code, err }: Answer): void {
  if (code === 0) return;
  const said = err.trim() === "" ? "and said nothing" : `and said: ${err.trim()}`;
  throw new MemqError(
    "CRONTAB_UNUSABLE",
    `${what} failed (${code === null ? "stopped" : String(code)}) ${said}`,
  );
}

interface Question {
  readonly path: string;
  readonly argument: string;
  readonly input: Buffer | undefined;
  readonly env: NodeJS.ProcessEnv;
}

function ask({ path, argument, input, env }: Question): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const child = spawn(path, [argument], {
      env,
      cwd: "/",
      timeout: MAX_SECONDS * 1_000,
      killSignal: "SIGKILL",
    });
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    let bytes = 0;
    const keep = (chunks: Buffer[]) => (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > MAX_BYTES) child.kill("SIGKILL");
      else chunks.push(chunk);
    };
    child.stdout.on("data", keep(out));
    child.stderr.on("data", keep(err));
    child.stdin.on("error", () => undefined); // it gave up reading: its exit code says why
    child.on("error", (cause) => {
      const why = `${path} could not be started: ${describeError(cause)}`;
      reject(new MemqError("CRONTAB_UNUSABLE", why, { cause }));
    });
    child.on("close", (code) => {
      resolve({ code, out: Buffer.concat(out), err: Buffer.concat(err).toString("utf8") });
    });
    child.stdin.end(input);
  });
}
