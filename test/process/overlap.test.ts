import { afterEach, describe, expect, onTestFailed, test } from "vitest";
import { grounds } from "../servers/grounds.ts";
import { makeProject, tally, type Project } from "../servers/project.ts";

const HANDLER = `
import { appendFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
const log = (line) => appendFileSync("./worker.log", line + "\\n");
export default class Worker {
  fast(n) { log(n); }
  async slow(n) { log(n); await pause(2); }
  kill() { process.kill(process.pid, "SIGKILL"); }
  async poison() { appendFileSync("./poison.log", "x\\n"); await pause(20); process.kill(process.pid, "SIGKILL"); }
}
`;

// Of a task, by the default retry = 10s, 1m, 10m, 1h.
const ATTEMPTS = 5;

const numbers = (count: number): string => Array.from({ length: count }, (_, i) => `${String(i)}\n`).join("");
const pick = (most: number): number => Math.floor(Math.random() * most);

describe.each(grounds)("on $name", (ground) => {
  const title = `real processes (${ground.missing ?? "all there"})`;
  // Some dozens of processes, one after the other: on a busy machine each may take ten seconds to start.
  describe.skipIf(ground.missing !== undefined)(title, { timeout: 300_000 }, () => {
    let project: Project;
    const setUp = async (settings: string): Promise<void> => {
      project = makeProject({ config: `${await ground.setUp()}${settings}\n`, handler: HANDLER });
    };
    afterEach(async () => {
      project.remove();
      await ground.tearDown();
    });

    test("four overlapping runs share 5,000 tasks and run each exactly once", async () => {
      await setUp("");
      const published = await project.run("publish-task", ["fast", "--from", "-", "--json"], numbers(5_000));
      expect(published).toMatchObject({ code: 0, stderr: "" });
      expect(JSON.parse(published.stdout)).toEqual({ kept: 5_000, duplicate: 0, refused: 0 });
      const runs = await Promise.all([1, 2, 3, 4].map(() => project.run("runjobs")));
      for (const run of runs) expect(run).toMatchObject({ code: 0, stdout: "", stderr: "" });
      const counts = tally(project.lines());
      expect(counts.size).toBe(5_000);
      expect([...counts.values()].filter((times) => times !== 1)).toEqual([]);
    });

    test("20 random kill -9 over 2,000 tasks lose nothing and repeat at most what was running", async () => {
      await setUp("");
      await project.run("publish-task", ["slow", "--from", "-"], numbers(2_000));
      const killedAfter: number[] = [];
      onTestFailed(() => {
        console.error(`killed after so many tasks each: ${killedAfter.join(" ")}`);
      });
      for (let kills = 0; kills < 20; kills++) {
        const run = project.start("runjobs");
        const seen = project.lines().length;
        const more = pick(40);
        killedAfter.push(more);
        await until(() => project.lines().length > seen + more);
        run.process.kill("SIGKILL");
        expect((await run.ended).signal).toBe("SIGKILL");
      }
      const last = await project.run("runjobs", ["--summary", "json"]);
      expect(last.code).toBe(0);
      const counts = tally(project.lines());
      expect(counts.size).toBe(2_000);
      // One task runs at a time, and each is acknowledged on its own or within 5 ms: two or three of 2 ms each.
      const repeats = project.lines().length - 2_000;
      expect(repeats).toBeLessThanOrEqual(20 * 4);
      // What was running when its run was killed is run again first of all, so that several kills can hit the same
      // task; it gets no more attempts than the policy allows.
      expect(Math.max(...counts.values())).toBeLessThanOrEqual(ATTEMPTS);
    });

    test("a poison task among 200 good ones under 8 runs is capped and makes no other a dead letter", async () => {
      await setUp("retry = 0s, 0s");
      await project.run("publish-task", ["slow", "--from", "-"], numbers(100));
      await project.run("publish-task", ["poison"]);
      await project.run(
        "publish-task",
        ["slow", "--from", "-"],
        numbers(200).split("\n").slice(100).join("\n"),
      );
      for (let round = 0; round < 6; round++) {
        await Promise.all(Array.from({ length: 8 }, () => project.run("runjobs")));
      }
      const { stdout } = await project.run("memq", ["status", "--json"]);
      expect(stdout).toMatch(/"dead":1\b/);
      expect(stdout).toMatch(/"waiting":0\b/);
      expect(project.lines("poison.log").length).toBeLessThanOrEqual(3);
      const counts = tally(project.lines());
      expect(counts.size).toBe(200);
      expect(Math.max(...counts.values())).toBeLessThanOrEqual(2);
    });

    test("with one attempt only, a killer among fast tasks makes none of them a dead letter", async () => {
      await setUp("retry = none");
      await project.run("publish-task", ["fast", "--from", "-"], numbers(300));
      await project.run("publish-task", ["kill"]);
      await project.run(
        "publish-task",
        ["fast", "--from", "-"],
        numbers(600).split("\n").slice(300).join("\n"),
      );
      expect((await project.run("runjobs")).signal).toBe("SIGKILL");
      expect((await project.run("runjobs")).code).toBe(1);
      const { stdout } = await project.run("memq", ["list", "dead", "--json"]);
      expect(stdout.match(/"method":"kill"/g)).toHaveLength(1);
      expect(stdout).not.toMatch(/"method":"fast"/);
      expect(tally(project.lines()).size).toBe(600);
    });
  });
});

async function until(condition: () => boolean, withinMs = 60_000): Promise<void> {
  const endMs = Date.now() + withinMs;
  while (!condition()) {
    if (Date.now() > endMs) throw new Error("it did not come true in time");
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
