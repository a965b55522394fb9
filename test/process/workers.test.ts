import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { grounds } from "../servers/grounds.ts";
import { makeProject, tally, type Project, type Running } from "../servers/project.ts";

const handler = (version: string): string => `
import { spawn } from "node:child_process";
import { appendFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { task } from ${JSON.stringify(new URL("../../dist/index.js", import.meta.url).href)};
const log = (line) => appendFileSync("./worker.log", line + "\\n");
export default class Worker {
  note(n) { log("note " + n + " " + process.pid + " ${version}"); }
  async slow(n, ms) { log("start " + n + " " + process.pid); await pause(Number(ms)); log("end " + n + " " + process.pid); }
  block() { log("block " + task().attempt + " " + process.pid); while (task().attempt === 1); }
  async ignore() {
    log("ignore " + task().attempt + " " + process.pid);
    if (task().attempt === 1) await new Promise(() => setInterval(() => undefined, 1_000));
  }
  leave() {
    const child = spawn("sleep", ["60"], { stdio: "inherit", detached: true });
    log("left " + child.pid);
    this.kill();
  }
  kill() { log("kill " + task().attempt); console.error("about to fall over"); process.kill(process.pid, "SIGKILL"); }
}
`;

const within = { timeout: 30_000, interval: 50 };

/** The processes that a process has started and that still live. */
function childrenOf(pid: number): readonly number[] {
  try {
    const text = readFileSync(`/proc/${String(pid)}/task/${String(pid)}/children`, "utf8");
    return text.split(" ").filter(Boolean).map(Number).filter(isAlive);
  } catch {
    return []; // it is gone
  }
}

function isAlive(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) [ZX]/.test(readFileSync(`/proc/${String(pid)}/stat`, "utf8"));
  } catch {
    return false;
  }
}

describe.each(grounds)("workers on $name", (ground) => {
  describe.skipIf(ground.missing !== undefined)(`real processes (${ground.missing ?? "all there"})`, () => {
    let project: Project;
    const started: Running[] = [];
    const setUp = async (settings = "retry = 1s, 1s"): Promise<void> => {
      project = makeProject({ config: `${await ground.setUp()}${settings}\n`, handler: handler("old") });
    };
    afterEach(async () => {
      const all = started.splice(0);
      for (const { process: parent } of all) {
        const children = childrenOf(parent.pid ?? 0);
        parent.kill("SIGKILL");
        for (const pid of children) process.kill(pid, "SIGKILL");
      }
      await Promise.all(all.map(({ ended }) => ended));
      project.remove();
      await ground.tearDown();
    });

    /** `memq work`, with all its processes at work. */
    const work = async (
      processes: number,
      ...args: string[]
    ): Promise<Running & { readonly pid: number }> => {
      const running = project.start("memq", ["work", "-p", String(processes), ...args]);
      started.push(running);
      const pid = running.process.pid ?? 0;
      await expect.poll(() => living(), within).toBe(processes);
      return { ...running, pid };
    };
    /** How many workers this host knows to be on the queue. */
    const living = async (): Promise<number> => {
      const { stdout } = await project.run("memq", ["runs", "--json"]);
      return (JSON.parse(stdout) as { workers: unknown[] }).workers.length;
    };
    const publish = async (...args: string[]): Promise<string> => {
      const { code, stdout, stderr } = await project.run("publish-task", args);
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      return stdout.trim();
    };
    const linesOf = (word: string): readonly string[] =>
      project.lines().filter((line) => line.startsWith(`${word} `));
    const numbers = (count: number): string =>
      Array.from({ length: count }, (_, i) => `${String(i)}\n`).join("");

    test("run what is published, and end with 0 on SIGTERM when what runs has ended", async () => {
      await setUp();
      const { process: parent, pid, ended } = await work(2);
      await publish("slow", "1", "1500");
      await expect.poll(() => linesOf("start"), within).toHaveLength(1);
      const workers = childrenOf(pid);
      expect(workers).toHaveLength(2);
      parent.kill("SIGTERM");
      expect(await ended).toEqual({ code: 0, signal: null, stdout: "", stderr: "" });
      expect(linesOf("end")).toHaveLength(1);
      expect(workers.filter(isAlive)).toEqual([]);
      const { stdout } = await project.run("memq", ["status", "--json"]);
      expect(stdout).toContain(`"waiting":0`);
    });

    test("one that is killed is replaced, the others go on, and each task is done", async () => {
      await setUp();
      const { pid } = await work(3);
      await project.run("publish-task", ["note", "--from", "-"], numbers(300));
      const [victim = 0] = childrenOf(pid);
      process.kill(victim, "SIGKILL");
      await project.run("publish-task", ["note", "--from", "-"], numbers(300));
      await expect
        .poll(() => new Set(linesOf("note").map((line) => line.split(" ")[1])).size, within)
        .toBe(300);
      await expect.poll(() => childrenOf(pid).length, within).toBe(3);
      await expect.poll(() => linesOf("note").length, within).toBeGreaterThanOrEqual(600);
      expect(childrenOf(pid)).not.toContain(victim);
    });

    test("whose parent is killed end within seconds, hand back what is left, and --if-not-running revives them", async () => {
      await setUp();
      const { process: parent, pid } = await work(2);
      const again = await project.run("memq", ["work", "-p", "2", "--if-not-running"]);
      expect(again).toEqual({ code: 0, signal: null, stdout: "", stderr: "" });
      for (const n of ["1", "2", "3"]) await publish("slow", n, "1000");
      await expect.poll(() => linesOf("start").length, within).toBeGreaterThanOrEqual(2);
      const orphans = childrenOf(pid);
      parent.kill("SIGKILL");
      await expect.poll(() => orphans.filter(isAlive), { ...within, timeout: 10_000 }).toEqual([]);
      const revived = await work(2, "--if-not-running");
      await expect.poll(() => linesOf("end").length, within).toBe(3);
      expect(childrenOf(revived.pid)).toHaveLength(2);
      expect([...tally(linesOf("start").map((line) => line.split(" ")[1] ?? "")).values()]).toEqual([
        1, 1, 1,
      ]);
    });

    test("SIGHUP loads the new handlers, and no task is lost or done twice", async () => {
      await setUp();
      const { process: parent } = await work(2);
      await publish("slow", "long", "3000");
      await expect.poll(() => linesOf("start"), within).toHaveLength(1);
      await project.run("publish-task", ["note", "--from", "-"], numbers(200));
      writeFileSync(join(project.folder, "worker.mjs"), handler("new"));
      parent.kill("SIGHUP");
      let n = 200;
      await expect
        .poll(
          async () => {
            await publish("note", String(n++));
            return linesOf("note").filter((line) => line.endsWith(" new")).length;
          },
          { ...within, interval: 200 },
        )
        .toBeGreaterThan(3);
      await expect.poll(() => linesOf("note").length, within).toBe(n);
      await expect.poll(() => linesOf("end"), within).toHaveLength(1);
      const counts = tally(linesOf("note").map((line) => line.split(" ")[1] ?? ""));
      expect(counts.size).toBe(n);
      expect([...counts.values()].every((count) => count === 1)).toBe(true);
    });

    test("SIGHUP with a broken handler file leaves the workers at work, and says so once", async () => {
      await setUp();
      const { process: parent, pid, ended } = await work(2);
      const workers = childrenOf(pid);
      writeFileSync(join(project.folder, "worker.mjs"), "export default class Worker {");
      let told = "";
      parent.stderr?.on("data", (text: string) => (told += text));
      parent.kill("SIGHUP");
      await expect.poll(() => told, within).toContain("the old ones go on: mend what it said (memq check)");
      await publish("note", "1");
      await expect.poll(() => linesOf("note"), within).toHaveLength(1);
      await expect.poll(() => childrenOf(pid), within).toEqual(workers);
      parent.kill("SIGTERM");
      const { code, stderr } = await ended;
      expect(code).toBe(0);
      expect(stderr.match(/worker\.mjs/g)).toHaveLength(1);
      expect(stderr.match(/the old ones go on/g)).toHaveLength(1);
    });

    test("a handler that blocks its process costs one attempt, and others are not held up", async () => {
      await setUp("timeout = 1s\nretry = 1s, 1s");
      const { pid, process: parent, ended } = await work(2);
      const id = await publish("block");
      await expect.poll(() => linesOf("block"), within).toHaveLength(1);
      const [, , blocked] = linesOf("block")[0]?.split(" ") ?? [];
      await publish("note", "1");
      await expect.poll(() => linesOf("note"), within).toHaveLength(1);
      await expect.poll(() => linesOf("block"), within).toHaveLength(2);
      expect(isAlive(Number(blocked))).toBe(false);
      expect(linesOf("block")[1]).toMatch(/^block 2 /);
      await expect.poll(() => childrenOf(pid).length, within).toBe(2);
      await expect.poll(async () => (await project.run("memq", ["show", id])).code, within).not.toBe(0);
      parent.kill("SIGTERM");
      const { code, stderr } = await ended;
      expect(code).toBe(0);
      expect(stderr).toMatch(
        /worker \S+ did not come back from a handler that blocks, and was ended with SIGKILL/,
      );
    });

    test("a --max-memory that an idle worker is above is said once", async () => {
      await setUp();
      const { process: parent, ended } = await work(1, "--max-memory", "1M");
      for (const nth of ["1", "2", "3"]) {
        await publish("note", nth);
        await expect.poll(() => linesOf("note"), within).toHaveLength(Number(nth));
      }
      parent.kill("SIGTERM");
      const { stderr } = await ended;
      expect(stderr.match(/more than --max-memory/g)).toHaveLength(1);
    });

    test("a dead letter of a handler that blocked its process names the timeout that it overran", async () => {
      await setUp("retry = none");
      await work(1);
      const id = await publish("--timeout", "1s", "block");
      const said = async (): Promise<string> => (await project.run("memq", ["show", id])).stdout;
      await expect
        .poll(said, within)
        .toContain("(SIGKILL, as its handler did not come back within its timeout of 1.0s)");
    });

    test("a task that kills its process ends as a dead letter with the signal and what was said last; others are done", async () => {
      await setUp("retry = 1s\nconcurrency = 1");
      const { pid } = await work(2);
      const id = await publish("kill");
      await project.run("publish-task", ["note", "--from", "-"], numbers(50));
      await expect
        .poll(async () => (await project.run("memq", ["list", "dead"])).stdout, within)
        .toContain(id);
      expect(linesOf("kill")).toEqual(["kill 1", "kill 2"]);
      const { stdout } = await project.run("memq", ["show", id]);
      expect(stdout).toContain(
        "its attempts (2) are used up; the last one ended with its process (SIGKILL), which had said:",
      );
      expect(stdout).toContain("about to fall over");
      await expect.poll(() => linesOf("note").length, within).toBe(50);
      await expect.poll(() => childrenOf(pid).length, within).toBe(2);
    });

    test("how a task ended its process is known though what it had started goes on", async () => {
      await setUp("retry = none");
      const { pid } = await work(1);
      const id = await publish("leave");
      try {
        await expect
          .poll(async () => (await project.run("memq", ["list", "dead"])).stdout, within)
          .toContain(id);
        const { stdout } = await project.run("memq", ["show", id]);
        expect(stdout).toContain("ended with its process (SIGKILL), which had said:");
        expect(stdout).toContain("about to fall over");
      } finally {
        for (const line of linesOf("left")) process.kill(Number(line.split(" ")[1]), "SIGKILL");
      }
      await expect.poll(() => childrenOf(pid).length, within).toBe(1);
    });

    test("a handler that ignores its signal costs one attempt, and its worker is replaced", async () => {
      await setUp("timeout = 1s\nretry = 1s, 1s");
      const { pid } = await work(1);
      const [first = 0] = childrenOf(pid);
      await publish("ignore");
      await publish("note", "1");
      await expect.poll(() => linesOf("ignore"), within).toHaveLength(2);
      expect(linesOf("ignore").map((line) => line.split(" ")[1])).toEqual(["1", "2"]);
      await expect.poll(() => isAlive(first), within).toBe(false);
      await expect.poll(() => childrenOf(pid).length, within).toBe(1);
      expect(linesOf("note")).toHaveLength(1);
    });

    test("are replaced after as many tasks as they may run", async () => {
      await setUp();
      const { pid } = await work(1, "--max-tasks", "2");
      for (const n of ["1", "2", "3", "4", "5"]) await publish("note", n);
      await expect.poll(() => linesOf("note"), within).toHaveLength(5);
      const pids = new Set(linesOf("note").map((line) => line.split(" ")[2]));
      expect(pids.size).toBe(3);
      await expect.poll(() => childrenOf(pid).length, within).toBe(1);
    });

    test("share a queue with runs of cron, and nothing is done twice", async () => {
      await setUp();
      await work(2);
      const bulk = project.run("publish-task", ["note", "--from", "-"], numbers(2_000));
      const runs = Array.from({ length: 3 }, () => project.run("runjobs"));
      expect((await bulk).code).toBe(0);
      for (const { code } of await Promise.all(runs)) expect(code).toBe(0);
      await expect.poll(() => linesOf("note").length, within).toBe(2_000);
      expect(tally(linesOf("note").map((line) => line.split(" ")[1] ?? "")).size).toBe(2_000);
    });
  });
});

describe("memq work", () => {
  let project: Project;
  afterEach(() => {
    project.remove();
  });

  test("ends with 78, and says why once, when its handlers are not there", async () => {
    project = makeProject({ config: "", handler: "export const nothing = 1;\n" });
    const { code, stderr } = await project.run("memq", ["work", "-p", "3"]);
    expect(code).toBe(78);
    expect(stderr.match(/HANDLER_MISSING/g)).toHaveLength(1);
  });

  test("ends with 64 for what it cannot read, before anything is started", async () => {
    project = makeProject({ config: "", handler: handler("old") });
    expect(await project.run("memq", ["work", "-p", "0"])).toMatchObject({ code: 64 });
    expect(await project.run("memq", ["work", "nosuch"])).toMatchObject({ code: 64 });
    const many = await project.run("memq", ["work", "-p", "513"]);
    expect([many.code, many.stderr]).toEqual([64, expect.stringContaining("the most is 512")]);
    for (const words of [
      ["--user", "deploy"],
      ["--systemd", "--if-not-running"],
    ])
      expect(await project.run("memq", ["work", ...words])).toMatchObject({ code: 64 });
  });

  test("--systemd prints the unit that keeps them, and starts none", async () => {
    project = makeProject({ config: "[queue.push]\n", handler: handler("old") });
    const words = ["work", "push", "-p", "5", "--log", "tasks.log", "--systemd", "--user", "deploy"];
    const { code, stdout, stderr } = await project.run("memq", words);
    expect(code).toBe(0);
    expect(stdout).toContain("User=deploy\n");
    expect(stdout).toMatch(
      /^ExecStart=".*node.*" ".*memq" "work" "--processes=5" "--log=\/.*tasks\.log" "--" "push"$/m,
    );
    expect(stderr).toMatch(/systemctl enable --now memq-work-.*-push\.service/);
    expect((await project.run("memq", ["runs", "--json"])).stdout).toContain(`"workers":[]`);
  });
});
