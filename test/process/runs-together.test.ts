import { existsSync, readdirSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { grounds } from "../servers/grounds.ts";
import { makeProject, tally, type Ended, type Project, type Running } from "../servers/project.ts";

const HANDLER = `
import { appendFileSync, existsSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { task } from ${JSON.stringify(new URL("../../dist/index.js", import.meta.url).href)};
const log = (line) => appendFileSync("./worker.log", line + "\\n");
export default class Worker {
  note(n) { log("note " + n + " " + process.pid + " " + Date.now()); }
  async slow(n, ms = "300") {
    log("start " + n + " " + process.pid);
    await pause(Number(ms));
    log("end " + n + " " + process.pid);
  }
  async held(n) {
    log("start " + n + " " + process.pid);
    for (let looks = 0; looks < 600 && !existsSync("./gate"); looks++) await pause(50);
    log("end " + n + " " + process.pid);
  }
  fail(n) { throw new Error("no user " + n); }
  block() {
    log("block " + task().attempt);
    while (task().attempt === 1);
  }
}
`;

describe.each(grounds)("runs on $name", (ground) => {
  describe.skipIf(ground.missing !== undefined)(`real processes (${ground.missing ?? "all there"})`, () => {
    let project: Project;
    const setUp = async (settings: string): Promise<void> => {
      const retry = settings.includes("retry") ? "" : "retry = none\n";
      const config = `${await ground.setUp()}${retry}${settings}\n`;
      project = makeProject({ config, handler: HANDLER });
    };
    afterEach(async () => {
      project.remove();
      await ground.tearDown();
    });

    /** The one file that says of a run at work that it is, and until when it may be silent. */
    const slotFile = (): string => {
      const runs = join(project.folder, "memq-data", "runs");
      const [folder = ""] = readdirSync(runs).filter((name) => name.startsWith("default@"));
      const [slot = ""] = readdirSync(join(runs, folder));
      return join(runs, folder, slot);
    };

    test("one that a handler blocks for longer than it may is ended by the next, which goes on with the work", async () => {
      await setUp("timeout = 30s\nretry = 1s");
      await project.run("publish-task", ["block"]);
      const blocked = project.start("runjobs");
      await expect.poll(() => project.lines(), { timeout: 20_000 }).toEqual(["block 1"]);
      const upSeconds = Number(process.hrtime.bigint() / 1_000_000_000n);
      const silentFor = statSync(slotFile()).atimeMs / 1_000 - upSeconds;
      expect(silentFor).toBeGreaterThan(60); // the timeout and a minute, from when it began
      expect(silentFor).toBeLessThan(91);

      await project.run("publish-task", ["note", "1"]);
      expect((await project.run("runjobs")).stderr).toBe(""); // it may still be silent
      utimesSync(slotFile(), 1, statSync(slotFile()).mtimeMs / 1_000);
      await project.run("publish-task", ["note", "2"]);
      const next = await project.run("runjobs");
      expect(await blocked.ended).toMatchObject({ code: null, signal: "SIGKILL" });
      expect(next.code).toBe(0);
      expect(next.stderr).toContain(`:${String(blocked.process.pid)} that began `);
      expect(next.stderr).toContain(
        "did not come back from a handler that blocks, and was ended with SIGKILL",
      );
      const done = project.lines().map((line) => line.split(" ").slice(0, 2).join(" "));
      expect(done.toSorted()).toEqual(["block 1", "block 2", "note 1", "note 2"]);
    });

    const publish = async (...args: string[]): Promise<string> => {
      const { code, stdout } = await project.run("publish-task", args);
      expect(code).toBe(0);
      return stdout.trim();
    };
    const runjobs = (...args: string[]): Promise<Ended> => project.run("runjobs", args);
    /** A run that has logged this line. */
    const started = async (line: RegExp, ...args: string[]): Promise<Running> => {
      const running = project.start("runjobs", args);
      await until(() => project.lines().some((one) => line.test(one)));
      return running;
    };
    const numbers = (from: number, count: number): string =>
      Array.from({ length: count }, (_, i) => `${String(from + i)}\n`).join("");
    const starts = (): readonly string[] =>
      project
        .lines()
        .filter((line) => line.startsWith("start"))
        .map((line) => line.split(" ")[1] ?? "");

    test("of six runs at once two work, as max-runs says; the others end well and say nothing", async () => {
      await setUp("max-runs = 2");
      await project.run("publish-task", ["slow", "--from", "-"], numbers(0, 8));
      const runs = await Promise.all(Array.from({ length: 6 }, () => runjobs()));
      for (const run of runs) expect(run).toEqual({ code: 0, signal: null, stdout: "", stderr: "" });
      expect(mostAtOnce(project.lines())).toBe(2);
      expect([...tally(starts()).values()]).toEqual(Array.from({ length: 8 }, () => 1));
      const { stdout } = await project.run("memq", ["runs", "--json"]);
      const { runs: records } = JSON.parse(stdout) as { runs: { ended: string }[] };
      expect(records.filter(({ ended }) => ended === "full")).toHaveLength(4);
    });

    test("a surplus run says who is at work under --verbose, fails under --when-full fail, waits under wait", async () => {
      await setUp("max-runs = 1");
      await publish("slow", "a", "5000");
      const first = await started(/^start a/);
      const skipped = await runjobs("--verbose");
      expect(skipped).toMatchObject({ code: 0, stdout: "" });
      expect(skipped.stderr).toMatch(
        new RegExp(
          `^memq default: 1 run at work already: \\S+:${String(first.process.pid)} since \\d{4}-`,
          "m",
        ),
      );
      const failed = await runjobs("--when-full", "fail");
      expect(failed.code).toBe(75);
      expect(failed.stderr).toMatch(/^runjobs: queue "default": .*\[RUNS_FULL\]$/m);
      await publish("note", "b");
      const waited = await runjobs("--when-full", "wait");
      expect(waited).toMatchObject({ code: 0, stderr: "" });
      expect(project.lines().map((line) => line.split(" ").slice(0, 2).join(" "))).toEqual([
        "start a",
        "end a",
        "note b",
      ]);
      await first.ended;
    });

    test("the slot of a killed run is free at once, and memq runs tells of the kill", async () => {
      await setUp("max-runs = 1\nretry = 0s, 0s");
      await publish("slow", "a", "1500");
      const first = await started(/^start a/);
      first.process.kill("SIGKILL");
      await first.ended;
      const next = await runjobs("--summary", "text");
      expect(next.stderr).toMatch(/1 done, .*\(drained\)$/m);
      const { stdout } = await project.run("memq", ["runs"]);
      expect(stdout).toMatch(new RegExp(`:${String(first.process.pid)} +default +killed$`, "m"));
    });

    test("runs that overlapped say so in their summaries", async () => {
      await setUp("");
      await project.run("publish-task", ["slow", "--from", "-"], numbers(0, 6));
      const both = await Promise.all([runjobs("--summary", "text"), runjobs("--summary", "text")]);
      for (const { stderr } of both) expect(stderr).toMatch(/; 2 runs shared\)$/m);
      const alone = await (async () => {
        await publish("note", "x");
        return runjobs("--summary", "text");
      })();
      expect(alone.stderr).toMatch(/\(drained\)$/m);
    });

    test.each([
      ["SIGTERM", []],
      ["its --max-time", ["--max-time", "1s"]],
    ])("at %s a run hands back at once what it has not started", async (end, options) => {
      await setUp("");
      // Fast ones first, so that it claims ahead; then one that takes as long as it is held, with more behind it.
      await project.run("publish-task", ["note", "--from", "-"], numbers(0, 30));
      await publish("held", "long");
      await project.run("publish-task", ["note", "--from", "-"], numbers(30, 30));
      const first = await started(/^start long/, ...options);
      if (end === "SIGTERM") first.process.kill("SIGTERM");
      await until(async () => {
        await runjobs();
        return project.lines().filter((line) => line.startsWith("note")).length === 60;
      });
      expect(project.lines().some((line) => line.startsWith("end long"))).toBe(false);
      writeFileSync(join(project.folder, "gate"), "");
      expect((await first.ended).code).toBe(0);
      const notes = project.lines().filter((line) => line.startsWith("note"));
      expect([...tally(notes.map((line) => line.split(" ")[1] ?? "")).values()]).toEqual(
        Array.from({ length: 60 }, () => 1),
      );
    });

    test("a run starts no task that would not fit into the time left", async () => {
      await setUp("");
      const calls = Array.from({ length: 10 }, (_, n) => `["slow", "${String(n)}", "1500"]\n`).join("");
      await project.run("publish-task", ["--from", "-", "--format", "ndjson"], calls);
      const before = Date.now();
      const { stderr } = await runjobs("--max-time", "4s", "--summary", "text");
      expect(stderr).toMatch(/\(max-time reached\)$/m);
      expect(starts().length).toBeGreaterThan(0);
      expect(starts().length).toBeLessThanOrEqual(3);
      expect(Date.now() - before).toBeLessThan(15_000); // all ten
    });

    describe("--cover", () => {
      test("waits for what falls due before the next tick, then exits; a second one does not wait beside it", async () => {
        await setUp("every = 1h\nmax-runs = 1");
        await publish("note", "due", "--delay", "8s");
        const dueAt = Date.now() + 8_000;
        const covering = project.start("runjobs", ["--cover", "--summary", "text"]);
        await until(() => existsSync(join(project.folder, "memq-data", "runs")));
        await until(() => waits(project));
        const second = await runjobs("--cover", "--summary", "text");
        expect(second.stderr).toMatch(
          /0 done, .*1 left in \S+ \(the rest is not due yet: the next is at .*\)$/m,
        );
        expect(Date.now()).toBeLessThan(dueAt);
        const { stderr } = await covering.ended;
        expect(stderr).toMatch(/1 done, .*\(drained\)$/m);
        const [line = ""] = project.lines();
        const lateMs = Number(line.split(" ")[3]) - dueAt;
        expect(lateMs).toBeGreaterThan(-1_500);
        expect(lateMs).toBeLessThan(20_000); // the next run would have come an hour later
      });

      test("returns at once when nothing is due before the tick", async () => {
        await setUp("every = 1h\ncover = on");
        await publish("note", "due", "--delay", "2h");
        const before = Date.now();
        expect((await runjobs("--summary", "text")).stderr).toMatch(
          /\(the rest is not due yet: the next is at /m,
        );
        expect(Date.now() - before).toBeLessThan(20_000);
      });

      test("without knowing the next tick is refused", async () => {
        await setUp("");
        const { code, stderr } = await runjobs("--cover");
        expect(code).toBe(64);
        expect(stderr).toContain("set every (e.g. every = 10m) for default");
      });
    });
  });
});

/** Whether a run waits for what falls due: its place is a file in a folder of its own. */
function waits({ folder }: Project): boolean {
  return readdirSync(join(folder, "memq-data", "runs"), { recursive: true, encoding: "utf8" }).some((path) =>
    /@wait\/.*\.run$/.test(path),
  );
}

/** The most that had started and not ended at any time. */
function mostAtOnce(lines: readonly string[]): number {
  let now = 0;
  let most = 0;
  for (const line of lines) {
    now += line.startsWith("start") ? 1 : line.startsWith("end") ? -1 : 0;
    most = Math.max(most, now);
  }
  return most;
}

async function until(holds: () => boolean | Promise<boolean>, withinMs = 20_000): Promise<void> {
  const endMs = Date.now() + withinMs;
  while (!(await holds())) {
    if (Date.now() > endMs) throw new Error(`it did not come true in time: ${String(holds)}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
