import { spawn, type ChildProcess } from "node:child_process";
import { accessSync, constants, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { run } from "./command.ts";

const TASKS = 90;
const TASK_MS = 1_000; // one run alone takes longer than the minute until cron starts the second
const WITHIN_MS = 210_000; // a minute until cron has seen the file, one until the second run, and the rest of the work
const LOOK_AGAIN_MS = 500;

const HANDLER = `
import { appendFileSync } from "node:fs";
export default class Worker {
  async slow(name) {
    await new Promise((resolve) => setTimeout(resolve, ${String(TASK_MS)}));
    appendFileSync("./worker.log", name + " " + process.pid + "\\n");
  }
  fail() { throw new Error("bad day"); }
}
`;

/** Why this machine's cron is left alone; undefined: it may be used. */
function whyNot(): string | undefined {
  if (process.env["MEMQ_REAL_CRON"] !== "1" && process.env["CI"] !== "true") {
    return "the machine's own cron is used only with MEMQ_REAL_CRON=1 or CI=true";
  }
  if (process.getuid?.() !== 0) return "only root can put a file into /etc/cron.d";
  return isCommand("/usr/sbin/cron") && existsSync("/etc/cron.d")
    ? undefined
    : "there is no cron (apt install cron)";
}

function isCommand(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** A cron daemon of our own, unless one runs: then that one reads /etc/cron.d too, and ours ends at once. */
function startCron(): ChildProcess {
  return spawn("/usr/sbin/cron", ["-f"], { stdio: "ignore" });
}

async function stopCron(daemon: ChildProcess): Promise<void> {
  if (daemon.exitCode !== null || daemon.signalCode !== null) return;
  const gone = new Promise((resolve) => daemon.once("exit", resolve));
  daemon.kill("SIGTERM");
  await gone;
}

async function until(holds: () => boolean): Promise<boolean> {
  const end = Date.now() + WITHIN_MS;
  while (!holds() && Date.now() < end) await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS));
  return holds();
}

test(
  "two runs that the machine's own cron starts share the work, and do nothing twice",
  async ({ skip }) => {
    const reason = whyNot();
    skip(reason !== undefined, reason);
    const folder = mkdtempSync(join(tmpdir(), "memq cron 50% "));
    const read = (name: string): string =>
      existsSync(join(folder, name)) ? readFileSync(join(folder, name), "utf8") : "";
    const done = (): string[] => read("worker.log").split("\n").slice(0, -1);
    const file = `/etc/cron.d/memq-test-${String(process.pid)}`;
    let daemon: ChildProcess | undefined;
    try {
      writeFileSync(join(folder, "config.ini"), "retry = none\n");
      writeFileSync(join(folder, "worker.mjs"), HANDLER);
      const names = Array.from({ length: TASKS }, (_, nth) => `task${String(nth)}`);
      const published = await run("publish-task", ["slow", "--from", "-"], {
        cwd: folder,
        input: names.join("\n"),
      });
      expect(published.code).toBe(0);
      expect((await run("publish-task", ["fail"], { cwd: folder })).code).toBe(0);
      const words = [
        "crontab",
        "print",
        "--cron-d",
        "--every",
        "* * * * *",
        "--log",
        "run.log",
        "--mailto",
        "",
        "--quiet",
      ];
      const printed = await run("memq", words, { cwd: folder });
      expect(printed.code).toBe(0);
      writeFileSync(file, printed.stdout, { mode: 0o644, flag: "wx" });
      daemon = startCron();
      await until(() => done().length >= TASKS && read("run.log") !== "");
      rmSync(file);
      // What cron would have mailed, had there been no log: the one failure, and nothing of the others.
      await until(() => read("run.log").includes("bad day"));
      expect(read("run.log")).toContain("bad day");
      expect(read("run.log")).not.toContain("task0");
      const ran = done().map((line) => line.split(" "));
      expect(ran.map(([name]) => name).sort()).toEqual([...names].sort());
      expect(new Set(ran.map(([, pid]) => pid)).size).toBeGreaterThanOrEqual(2);
    } finally {
      rmSync(file, { force: true });
      if (daemon !== undefined) await stopCron(daemon);
      rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 250 }); // a run may just be ending
    }
  },
  WITHIN_MS * 2,
);
