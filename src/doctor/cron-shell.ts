import { spawn } from "node:child_process";

/** What a command said that was started as cron starts it. */
export interface CronAnswer {
  /** Null: it was stopped, because it took too long. */
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** Starts a command line as cron does. */
export type CronShell = (command: string) => Promise<CronAnswer>;

/** Whose crontab it would stand in. */
export interface CronUser {
  readonly name: string;
  /** Cron starts there. */
  readonly home: string;
}

/** Where cron looks for commands, on Debian and its relatives. */
export const CRON_PATH = "/usr/bin:/bin";

const MAX_MS = 60_000; // a memcached that is away is given up long before
const MAX_CHARACTERS = 1_000_000;

/** Where a shell starts. */
interface Start {
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
}

/** /bin/sh in the home folder with next to no environment, no terminal, and nothing on standard input. */
export const cronShell = ({ name, home }: CronUser): CronShell =>
  shellIn({ cwd: home, env: { PATH: CRON_PATH, HOME: home, LOGNAME: name, SHELL: "/bin/sh" } });

/** The same with all that the person at the keyboard has, to be compared with. */
export const ownShell = (env: NodeJS.ProcessEnv): CronShell => shellIn({ cwd: "/", env });

const shellIn =
  (start: Start): CronShell =>
  (command) =>
    new Promise((resolve, reject) => {
      const child = spawn("/bin/sh", ["-c", command], {
        ...start,
        stdio: ["ignore", "pipe", "pipe"],
        detached: true, // a session of its own: without a terminal, and with all its children to be stopped
      });
      const said = { out: "", err: "" };
      const keep = (end: "out" | "err") => (text: string) => {
        if (said[end].length < MAX_CHARACTERS) said[end] += text;
      };
      child.stdout.setEncoding("utf8").on("data", keep("out"));
      child.stderr.setEncoding("utf8").on("data", keep("err"));
      const timer = setTimeout(() => {
        stopSession(child.pid);
      }, MAX_MS);
      child.on("error", (error) => {
        clearTimeout(timer);
        reject(error);
      });
      child.on("close", (code) => {
        clearTimeout(timer);
        resolve({ code, ...said });
      });
    });

function stopSession(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    return; // it has just ended by itself
  }
}
