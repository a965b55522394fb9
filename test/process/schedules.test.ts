import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { open } from "../../src/memq.ts";
import { noMemcached, startMemcached, type MemcachedServer } from "../servers/memcached-server.ts";
import { makeProject, type Project } from "../servers/project.ts";
import { start } from "./command.ts";

const HANDLER = `
import { appendFileSync } from "node:fs";
export default class Worker {
  report(what) { appendFileSync("./worker.log", "report " + what + "\\n"); }
}
`;

// Due once a year: whenever the test runs, there is one time that passed, and the next is far.
const YEARLY = "[schedule.yearly]\ncron = 0 0 1 1 *\ntimezone = UTC\ncall = report all\n";

let server: MemcachedServer | undefined;
beforeAll(async () => {
  if (noMemcached === undefined) server = await startMemcached(["-M"]);
});
afterAll(() => server?.stop());

const BROKERS = [
  { name: "the embedded store", config: () => "" },
  {
    name: "memcached",
    config: () => `queueip = ${server?.host ?? ""}\nqueueport = ${String(server?.port ?? 0)}\n`,
    unavailable: noMemcached,
  },
];

let project: Project;
beforeEach(() => {
  project = makeProject({ config: "", handler: HANDLER });
});
afterEach(() => {
  project.remove();
});

const configure = (config: string): void => {
  writeFileSync(join(project.folder, "config.ini"), config);
};

/** As if a run had seen the schedule two years ago, and none since. */
async function seenLongAgo(written: string): Promise<void> {
  const memq = await open(join(project.folder, "config.ini"));
  const { notes } = await memq.broker();
  const lastMs = Date.now() - 2 * 366 * 86_400_000;
  await notes.write("schedule:yearly", JSON.stringify({ v: 1, written, lastMs, paused: false }), undefined);
  await memq.close();
}

describe.each(BROKERS)("on $name", ({ name, config, unavailable }) => {
  test.skipIf(unavailable !== undefined)(
    "ten runs that start at once publish a due time once, and run it",
    async () => {
      configure(`queuename = once-${String(process.pid)}\n${config()}${YEARLY}`);
      await seenLongAgo("0 0 1 1 * UTC");
      const runs = await Promise.all(Array.from({ length: 10 }, () => project.run("runjobs")));
      expect(runs.map(({ code, stdout, stderr }) => [code, stdout, stderr])).toEqual(
        runs.map(() => [0, "", ""]),
      );
      await project.run("runjobs");
      expect([name, project.lines()]).toEqual([name, ["report all"]]);
    },
  );
});

describe.each(BROKERS)("on $name", ({ config, unavailable }) => {
  test.skipIf(unavailable !== undefined)(
    "a due time is published and run once while workers and runs are beside each other",
    async () => {
      configure(`queuename = beside-${String(process.pid)}\n${config()}${YEARLY}`);
      await seenLongAgo("0 0 1 1 * UTC");
      const parents = [2, 2].map((count) => project.start("memq", ["work", "-p", String(count)]));
      const runs = Array.from({ length: 5 }, () => project.run("runjobs"));
      try {
        for (const { code, stderr } of await Promise.all(runs)) expect([code, stderr]).toEqual([0, ""]);
        const living = async (): Promise<unknown> =>
          (JSON.parse((await project.run("memq", ["runs", "--json"])).stdout) as { workers: unknown[] })
            .workers;
        await expect.poll(living, { timeout: 30_000 }).toHaveLength(4);
        await expect.poll(() => project.lines(), { timeout: 30_000 }).toEqual(["report all"]);
      } finally {
        for (const { process: parent } of parents) parent.kill("SIGTERM");
      }
      for (const { ended } of parents) expect(await ended).toMatchObject({ code: 0, stderr: "" });
      expect((await project.run("runjobs")).code).toBe(0);
      expect(project.lines()).toEqual(["report all"]);
    },
  );

  test.skipIf(unavailable !== undefined)("workers alone publish what is due, and run it", async () => {
    configure(`queuename = alone-${String(process.pid)}\n${config()}${YEARLY}`);
    await seenLongAgo("0 0 1 1 * UTC");
    const parent = project.start("memq", ["work", "-p", "2"]);
    try {
      await expect.poll(() => project.lines(), { timeout: 30_000 }).toEqual(["report all"]);
    } finally {
      parent.process.kill("SIGTERM");
    }
    expect(await parent.ended).toMatchObject({ code: 0, stderr: "" });
  });
});

describe("runjobs", () => {
  test("tells what it publishes only when asked to", async () => {
    configure(YEARLY);
    await seenLongAgo("0 0 1 1 * UTC");
    const { stderr } = await project.run("runjobs", ["--verbose"]);
    expect(stderr).toMatch(/^schedule "yearly": task \S+ published for \d{4}-01-01T00:00:00.000Z$/m);
    expect(project.lines()).toEqual(["report all"]);
  });

  test("says what catch-up = none lets go", async () => {
    configure(`${YEARLY}catch-up = none\n`);
    await seenLongAgo("0 0 1 1 * UTC");
    const { code, stderr } = await project.run("runjobs");
    expect(code).toBe(0);
    expect(stderr).toMatch(
      /^schedule "yearly": let go what was due up to \d{4}-01-01T00:00:00.000Z, too late now/m,
    );
    expect(project.lines()).toEqual([]);
  });

  test("drains its queues though a schedule fails, and exits with why", async () => {
    configure(`max-size = 100B\n${YEARLY.replace("report all", `report ${"x".repeat(200)}`)}`);
    await seenLongAgo("0 0 1 1 * UTC");
    await project.run("publish-task", ["report", "this"]);
    const { code, stderr } = await project.run("runjobs");
    expect(code).toBe(65);
    expect(stderr).toMatch(/^runjobs: schedule "yearly": .*\[TASK_TOO_LARGE\]$/m);
    expect(project.lines()).toEqual(["report this"]);
  });

  test("looks only at the schedules of the queues it drains", async () => {
    configure(`[queue.mail]\n${YEARLY}queue = mail\n`);
    await project.run("runjobs", ["default"]);
    const { stdout } = await project.run("memq", ["schedule", "list", "--json"]);
    expect(stdout).not.toContain("lastFiredAt");
    expect(project.lines()).toEqual([]);
  });
});

/** Resolves when the process has come to rest: nothing but time or a signal will move it. */
async function untilAtRest(pid: number): Promise<void> {
  let [seen, times] = ["", 0];
  for (const end = Date.now() + 20_000; Date.now() < end;) {
    const fields =
      readFileSync(`/proc/${String(pid)}/stat`, "utf8")
        .split(") ")[1]
        ?.split(" ") ?? [];
    const [state, used] = [fields[0], `${fields[11] ?? ""} ${fields[12] ?? ""}`];
    times = state === "S" && used === seen ? times + 1 : 0;
    if (times === 10) return;
    seen = used;
    await pause(50);
  }
  throw new Error("it never came to rest");
}

describe("runjobs --cron", () => {
  const stay = (...args: string[]): ReturnType<typeof start> =>
    start("runjobs", args, { cwd: project.folder });

  test.each([
    [["--cron", "0 25 * * *"], `--cron "0 25 * * *" is not a cron expression: its hour is "25"`],
    [["--cron", "*/10 * * *"], "five fields"],
    [["--cron", "* * * * *", "--max-time", "soon"], "--max-time"],
    [["--cron", "* * * * *", "--when-full", "sit"], "--when-full"],
    [["--cron", "* * * * *", "psuh"], `no queue "psuh"`],
  ])("%j is refused before anything starts", async (args, why) => {
    const { code, stderr } = await stay(...args).ended;
    expect(code).toBe(64);
    expect(stderr).toContain(why);
  });

  test.each(["SIGTERM", "SIGHUP"] as const)("stays silently, and ends well with %s", async (signal) => {
    const resident = stay("--cron", "0 0 1 1 *");
    await untilAtRest(resident.process.pid ?? 0);
    resident.process.kill(signal);
    expect(await resident.ended).toEqual({ code: 0, signal: null, stdout: "", stderr: "" });
  });

  test("says what it does to whoever wants to know", async () => {
    const resident = stay("--cron", "0 7 * * *", "--verbose");
    await resident.stderr(
      /^runjobs: starts a run every day at 07:00; the next at \d{4}-\d\d-\d\d 07:00:00$/m,
    );
    resident.process.kill("SIGINT");
    const { code, stderr } = await resident.ended;
    expect(code).toBe(0);
    expect(stderr).toContain("runjobs: SIGINT: starting no more runs");
  });
});

const noMinute =
  process.env["CI"] === "true" || process.env["MEMQ_REAL_CRON"] === "1"
    ? undefined
    : "it takes a real minute: set MEMQ_REAL_CRON=1";

test("a resident starts a run at the full minute, schedules included, and waits for it when it is told to end", async ({
  skip,
}) => {
  skip(noMinute !== undefined, noMinute);
  const handler = `
import { appendFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
export default class Worker {
  async report(what) { appendFileSync("./worker.log", "start " + what + "\\n"); await pause(1_000); appendFileSync("./worker.log", "end " + what + "\\n"); }
}
`;
  writeFileSync(join(project.folder, "worker.mjs"), handler);
  configure("[schedule.always]\ncron = * * * * *\ncall = report this\n");
  const resident = start("runjobs", ["--cron", "* * * * *", "--verbose"], { cwd: project.folder });
  for (const end = Date.now() + 70_000; Date.now() < end && project.lines().length === 0;) await pause(50);
  resident.process.kill("SIGTERM");
  const { code, stderr } = await resident.ended;
  expect(code).toBe(0);
  expect(project.lines()).toEqual(["start this", "end this"]);
  expect(stderr).toMatch(/^runjobs: run \d+ started$/m);
  expect(stderr).toMatch(/^runjobs: run \d+ ended after .* \(exit 0\)$/m);
  const published = stderr.match(/published for \S+/g) ?? [];
  expect(new Set(published).size).toBe(published.length);
  expect(published.length).toBeGreaterThanOrEqual(1);
}, 90_000);
