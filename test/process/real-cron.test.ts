import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { run } from "./command.ts";

const TASKS = 40;
const TASK_MS = 250; // ten seconds of work: whichever run comes second finds some of it left
const WITHIN_MS = 180_000; // a minute until cron's next tick, and the work on a machine that is busy
const LOOK_AGAIN_MS = 200;

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

/**
 * Debian's cron where it can do no harm: in a mount namespace whose tables are ours alone and whose sendmail
 * keeps the mails. Nothing of the machine is changed, and a cron that runs on it is not disturbed.
 */
const ISOLATED = `
set -e
mkdir "$1/sbin" "$1/orig"
mount --bind /usr/sbin "$1/orig"
ln -s "$1"/orig/* "$1/sbin"
rm -f "$1/sbin/sendmail"
printf '#!/bin/sh\\ncat > "%s/mails/$$"\\n' "$1" > "$1/sbin/sendmail"
chmod 755 "$1/sbin/sendmail"
mount --bind "$1/sbin" /usr/sbin
mount --bind "$1/tables" /etc/cron.d
mount -t tmpfs none /var/spool/cron
mkdir -m 1730 /var/spool/cron/crontabs
mount -t tmpfs none /run
if [ -e /etc/crontab ]; then mount --bind /dev/null /etc/crontab; fi
exec "$1/orig/cron" -f
`;

const UNSHARE = ["--mount", "--propagation", "private"];

/** Why cron cannot be tried here; undefined: it can. */
function whyNot(): string | undefined {
  if (process.env["MEMQ_REAL_CRON"] !== "1" && process.env["CI"] !== "true") {
    return "the real cron takes a minute, and is tried with MEMQ_REAL_CRON=1 or CI=true only";
  }
  if (process.getuid?.() !== 0) return "only root can start a cron daemon";
  if (!isCommand("/usr/sbin/cron")) return "there is no cron (apt install cron)";
  try {
    execFileSync("unshare", [...UNSHARE, "mount", "-t", "tmpfs", "none", "/run"], { stdio: "ignore" });
    return undefined;
  } catch {
    return "this machine allows no mount namespace of our own (unshare --mount)";
  }
}

function isCommand(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

let place: string | undefined;
let daemon: ChildProcess | undefined;
afterEach(async () => {
  if (daemon !== undefined) await stopCron(daemon);
  // A run may just be ending.
  if (place !== undefined) rmSync(place, { recursive: true, force: true, maxRetries: 20, retryDelay: 250 });
});

/** A cron of our own, with these tables; `mails` are the whole texts that it handed to sendmail. */
function startCron(tables: readonly string[]): { mails: () => readonly string[] } {
  const root = (place = mkdtempSync(join(tmpdir(), "memq-cron-")));
  for (const name of ["tables", "mails"]) mkdirSync(join(root, name));
  for (const [nth, text] of tables.entries()) {
    writeFileSync(join(root, "tables", `memq-${String(nth)}`), text, { mode: 0o644 });
  }
  daemon = spawn("unshare", [...UNSHARE, "/bin/sh", "-c", ISOLATED, "sh", root], { stdio: "ignore" });
  const folder = join(root, "mails");
  return { mails: () => readdirSync(folder).map((name) => readFileSync(join(folder, name), "utf8")) };
}

async function stopCron(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGTERM");
  await gone;
}

/** Whether a job is under way, or its mail is. */
const hasJobs = (child: ChildProcess | undefined): boolean => {
  const pid = String(child?.pid);
  return readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8") !== "";
};

async function until(holds: () => boolean): Promise<void> {
  const end = Date.now() + WITHIN_MS;
  while (!holds() && Date.now() < end) await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS));
}

test(
  "two runs that cron starts in the same minute share the work, do nothing twice, and mail only the failure",
  async ({ skip }) => {
    const reason = whyNot();
    skip(reason !== undefined, reason);
    const folder = mkdtempSync(join(tmpdir(), "memq cron 50% "));
    try {
      const path = join(folder, "worker.log");
      const done = (): string[] =>
        existsSync(path) ? readFileSync(path, "utf8").split("\n").slice(0, -1) : [];
      writeFileSync(join(folder, "config.ini"), "retry = none\n");
      writeFileSync(join(folder, "worker.mjs"), HANDLER);
      const names = Array.from({ length: TASKS }, (_, nth) => `task${String(nth)}`);
      const input = names.join("\n");
      expect((await run("publish-task", ["slow", "--from", "-"], { cwd: folder, input })).code).toBe(0);
      expect((await run("publish-task", ["fail"], { cwd: folder })).code).toBe(0);
      // One line for all queues and one for this queue: both are due at the next full minute.
      const tables: string[] = [];
      for (const only of [[], ["--queue", "default"]]) {
        const words = ["crontab", "print", "--cron-d", "--every", "* * * * *", "--quiet", ...only];
        tables.push((await run("memq", words, { cwd: folder })).stdout);
      }
      const { mails } = startCron(tables);
      await until(() => done().length >= TASKS && mails().length > 0 && !hasJobs(daemon));
      const ran = done().map((line) => line.split(" "));
      expect(ran.map(([name]) => name).sort()).toEqual([...names].sort());
      expect(new Set(ran.map(([, pid]) => pid)).size).toBeGreaterThanOrEqual(2);
      const [mail = "", ...more] = mails();
      expect(more).toEqual([]);
      const [head = "", body] = mail.split(/\n\n(.*)/s);
      expect(head).toMatch(/^Subject: Cron <root@.*> cd .*memq cron 50'%' \w+' && \/.*runjobs/m);
      expect(body).toMatch(
        /^memq default: task \S+ fail is dead \(attempts: 1\): bad day\nmemq default: \d+ done, 0 retried, 1 dead, .*; 2 runs shared\)\n/,
      );
      expect(body).not.toContain("slow"); // what went well is nobody's mail
    } finally {
      rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 250 });
    }
  },
  WITHIN_MS + 60_000,
);
