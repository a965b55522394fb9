import { appendFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { open, type Completion, type Memq } from "../../src/index.ts";
import { addressOf, grounds } from "../servers/grounds.ts";
import { noMemcached, startMemcached } from "../servers/memcached-server.ts";
import { makeProject, type Project } from "../servers/project.ts";

const HANDLER = `
import { appendFileSync, existsSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { giveUp, task } from "memq";
const log = (line) => appendFileSync("./worker.log", line + "\\n");
// Loaded once there is something to run: consumers may be waited for, so that their start is not measured.
if (existsSync("./gate")) {
  appendFileSync("./ready.log", "x\\n");
  while (existsSync("./gate")) await pause(5);
}
export default class Worker {
  async sum(from, to) {
    await pause(1_000);
    return ((Number(from) + Number(to)) * (Number(to) - Number(from) + 1)) / 2;
  }
  echo(value) { return value; }
  today() { return new Date(); }
  refuse(words) { throw giveUp(words); }
  large() { return "x".repeat(200_000); }
  /** Ends once the file is there. */
  async until(file) {
    log("began");
    task().progress(3, 10);
    while (!existsSync(file)) await pause(20);
    return "ended";
  }
}
`.replace('"memq"', JSON.stringify(join(import.meta.dirname, "../../dist/index.js")));

const WITHIN = { timeout: 30_000, interval: 20 };

describe.each(grounds)("on $name", (ground) => {
  describe.skipIf(ground.missing !== undefined)(`real processes (${ground.missing ?? "all there"})`, () => {
    let project: Project;
    let memq: Memq | undefined;

    beforeEach(async () => {
      project = makeProject({
        config: `${await ground.setUp()}max-runs = 5\nretry = 0s\n`,
        handler: HANDLER,
      });
    });
    afterEach(async () => {
      await memq?.close();
      memq = undefined;
      project.remove();
      await ground.tearDown();
    });

    /** Nothing is taken before something is there: a run that finds nothing ends. */
    const published = async (count: number): Promise<void> => {
      memq ??= await open(join(project.folder, "config.ini"));
      const broker = await memq.broker();
      await expect.poll(async () => (await broker.depth()).waiting, WITHIN).toBe(count);
    };

    const begun = async (times: number): Promise<void> => {
      await expect.poll(() => project.lines().length, WITHIN).toBe(times);
    };

    test("five sums of a second each take five seconds with one consumer, and about one with five", async () => {
      const expected = [5_050, 15_150, 25_250, 35_350, 45_450];
      const gate = join(project.folder, "gate");
      let ready = 0;
      const sums = async (consumers: number): Promise<number> => {
        const calls = (memq ??= await open(join(project.folder, "config.ini"))).group();
        for (const to of [100, 200, 300, 400, 500]) calls.add("sum", [Math.max(1, to - 100), to]);
        const told: Completion[] = [];
        calls.onComplete((completion) => told.push(completion));
        const running = calls.run({ wait: "60s" });
        await published(5);
        writeFileSync(gate, "");
        const runs = Array.from({ length: consumers }, () => project.run("runjobs"));
        ready += consumers;
        await expect.poll(() => project.lines("ready.log").length, WITHIN).toBe(ready);
        const startedAtMs = performance.now();
        rmSync(gate);
        const completions = await running;
        const ms = performance.now() - startedAtMs;
        expect(completions.map(({ result }) => result)).toEqual(expected);
        expect(new Set(told)).toEqual(new Set(completions));
        for (const run of await Promise.all(runs)) expect(run).toMatchObject({ code: 0, stderr: "" });
        return ms;
      };
      const alone = await sums(1);
      const together = await sums(5);
      expect(alone).toBeGreaterThan(5_000);
      expect(together).toBeGreaterThan(1_000);
      expect(together).toBeLessThan(alone / 2); // a busy machine is no faster when one is alone
    });

    test("publish-task --wait prints the result alone, and says the id", async () => {
      const calls = [
        { args: ["echo", "王 'hello'"], stdout: "王 'hello'\n" },
        { args: ["--json-args", "echo", '{"a":[1,null]}'], stdout: '{"a":[1,null]}\n' },
        { args: ["echo"], stdout: "" },
        {
          args: ["--json-args", "echo", String.raw`"half \ud83d"`],
          stdout: String.raw`"half \ud83d"` + "\n",
        },
      ];
      const commands = calls.map(({ args }) => project.run("publish-task", [...args, "--wait", "30s"]));
      await published(calls.length);
      await project.run("runjobs");
      for (const [at, ended] of (await Promise.all(commands)).entries()) {
        expect(ended).toMatchObject({ code: 0, stdout: calls[at]?.stdout });
        expect(ended.stderr).toMatch(/^[\w.-]+\n$/);
      }
    });

    test("publish-task --wait exits with 1 and the handler's words when the task dies", async () => {
      const command = project.run("publish-task", ["refuse", "no such user", "--wait", "30s"]);
      await published(1);
      expect(await project.run("runjobs")).toMatchObject({ code: 1 });
      const ended = await command;
      expect(ended).toMatchObject({ code: 1, stdout: "" });
      expect(ended.stderr).toContain("no such user [TASK_FAILED]");
    });

    test("publish-task --wait exits with 65 when the result cannot be kept, and says why", async () => {
      const command = project.run("publish-task", ["today", "--wait", "30s"]);
      await published(1);
      await project.run("runjobs");
      const ended = await command;
      expect(ended).toMatchObject({ code: 65, stdout: "" });
      expect(ended.stderr).toContain("its value is a Date, which JSON would lose");
    });

    test("publish-task --wait exits with 75 when its time is over, and leaves the task", async () => {
      const ended = await project.run("publish-task", ["echo", "x", "--wait", "100ms"]);
      expect(ended).toMatchObject({ code: 75, stdout: "" });
      expect(ended.stderr).toContain("it waits to be run [WAIT_TIMEOUT]");
      expect(await project.run("runjobs", ["--summary", "json"])).toMatchObject({ code: 0 });
    });

    test("publish-task --wait exits with 65 when the task is cancelled", async () => {
      const command = project.run("publish-task", ["echo", "x", "--key", "k", "--wait", "30s"]);
      await published(1);
      expect(await project.run("memq", ["cancel", "--key", "k"])).toMatchObject({ code: 0 });
      const ended = await command;
      expect(ended).toMatchObject({ code: 65, stdout: "" });
      expect(ended.stderr).toContain("TASK_GONE");
    });

    test("a caller gets one answer though the consumer of its task is killed", async () => {
      const command = project.run("publish-task", ["until", "go", "--wait", "60s"]);
      await published(1);
      const victim = project.start("runjobs");
      await begun(1);
      victim.process.kill("SIGKILL");
      await victim.ended;
      const heir = project.start("runjobs");
      await begun(2);
      await project.run("publish-task", ["echo", "unawaited"]);
      writeFileSync(join(project.folder, "go"), "");
      expect(await command).toMatchObject({ code: 0, stdout: "ended\n" });
      expect(await heir.ended).toMatchObject({ code: 0 });
      expect(project.lines()).toEqual(["began", "began"]);
    });

    test("memq show and status tell how far a running task is, and show its result where results are kept", async () => {
      const id = (await project.run("publish-task", ["until", "go"])).stdout.trim();
      const run = project.start("runjobs", [], undefined);
      await begun(1);
      await expect
        .poll(async () => (await project.run("memq", ["show", id])).stdout, WITHIN)
        .toContain("3 of 10 (30 %)");
      const status = await project.run("memq", ["status"]);
      expect(status.stdout).toContain(`queue default: task ${id} Worker.until("go") is at 3 of 10 (30 %)`);
      writeFileSync(join(project.folder, "go"), "");
      expect(await run.ended).toMatchObject({ code: 0 });
      expect(await project.run("memq", ["show", id])).toMatchObject({ code: 65 });

      appendFileSync(join(project.folder, "config.ini"), "results = 1h\n");
      const kept = (await project.run("publish-task", ["until", "go"])).stdout.trim();
      await project.run("runjobs");
      expect((await project.run("memq", ["show", kept])).stdout).toMatch(/done since .*\n.*\n.*"ended"/);
      expect((await project.run("memq", ["why", kept])).stdout).toContain('Its result: "ended".');
      const json = JSON.parse((await project.run("memq", ["show", kept, "--json"])).stdout) as unknown;
      expect(json).toMatchObject({ id: kept, state: "done", attempts: 1, result: "ended" });
    });
  });
});

describe.skipIf(noMemcached !== undefined)(`a full memcached (${noMemcached ?? "it is there"})`, () => {
  test("keeps no task from being done for want of room for results, and the run says so", async () => {
    const small = await startMemcached(["-M", "-m", "8"]);
    const project = makeProject({
      config: `${addressOf(small)}results = 1h\nbundle = 1\n`,
      handler: HANDLER,
    });
    try {
      const published = await project.run("publish-task", ["large", "--count", "100"]);
      expect(published).toMatchObject({ code: 0 });
      const run = await project.run("runjobs", ["--summary", "text"]);
      expect(run.stderr).toContain("100 done, 0 retried, 0 dead, 0 left");
      expect(run.stderr).toContain("is done, but there is no room for its result");
      expect(run.code).toBe(0);
    } finally {
      await small.stop();
      project.remove();
    }
  });
});
