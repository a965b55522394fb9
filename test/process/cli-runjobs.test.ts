import { existsSync, mkdirSync, watch, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { startFakeServer } from "../servers/fake-server.ts";
import { makeProject, tally, type Ended, type Project } from "../servers/project.ts";
import { run, start, type Started } from "./command.ts";

const HANDLER = `
import { appendFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { retryLater, task } from ${JSON.stringify(new URL("../../dist/index.js", import.meta.url).href)};
const log = (line) => appendFileSync("./worker.log", line + "\\n");
export default class Worker {
  saveToLocal(msg = "default data") { log(msg); }
  fail(why) { throw new RangeError(why); }
  later() { throw retryLater("not yet", { times: 1, delay: "1h" }); }
  speak(text) { task().log(text); }
  warn() { process.emitWarning("careful"); }
  leak() { setInterval(() => {}, 1_000); log("leaked"); }
  async print(n) { process.stdout.write("printed\\n"); await pause(5); log(n); }
  async slow(n) { log("start " + n); await pause(100); log("end " + n); }
  async stuck() { log("stuck " + task().attempt); await pause(60_000); }
  exit() { process.exit(0); }
  mute() { process.stderr.write = () => { throw new Error("mute"); }; setTimeout(() => { throw new Error("late"); }, 1); log("muted"); throw new Error("failed"); }
}
`;

let project: Project;
beforeEach(() => {
  project = makeProject({ config: "retry = none\n", handler: HANDLER });
});
afterEach(() => {
  project.remove();
});

const configure = (config: string): void => {
  writeFileSync(join(project.folder, "config.ini"), config);
};
const publish = async (...args: string[]): Promise<void> => {
  expect((await project.run("publish-task", args)).code).toBe(0);
};
const runjobs = (...args: string[]): Promise<Ended> => project.run("runjobs", args);

/** Resolves when worker.log has this line. */
async function logged(line: string): Promise<void> {
  const changes = watch(project.folder, { signal: AbortSignal.timeout(10_000) });
  try {
    await new Promise<void>((resolve, reject) => {
      const look = (): void => {
        if (project.lines().includes(line)) resolve();
      };
      changes.on("change", look).on("error", reject);
      look();
    });
  } finally {
    changes.close();
  }
}

async function depth(queue: string): Promise<unknown> {
  const { stdout } = await project.run("memq", ["status", "-q", queue, "--json"]);
  return (JSON.parse(stdout) as { queues: unknown[] }).queues[0];
}

describe("what a run says", () => {
  test("nothing, when all went well and nobody watches", async () => {
    await publish("saveToLocal", "x", "-n", "3");
    expect(await runjobs()).toEqual({ code: 0, signal: null, stdout: "", stderr: "" });
    expect(await runjobs()).toEqual({ code: 0, signal: null, stdout: "", stderr: "" });
    expect(project.lines()).toEqual(["x", "x", "x"]);
  });

  test("no warning of Node's, whatever a handler does", async () => {
    await publish("warn");
    expect(await runjobs()).toMatchObject({ code: 0, stderr: "" });
  });

  test("that nobody reads is no failure of the task that says it", async () => {
    await publish("print", "x", "-n", "3");
    const started = start("runjobs", [], { cwd: project.folder, redirect: "| true" });
    expect(await started.ended).toMatchObject({ code: 0, stdout: "", stderr: "" });
    expect(project.lines()).toEqual(["x", "x", "x"]);
    expect(await depth("default")).toMatchObject({ waiting: 0, delayed: 0, dead: 0 });
  });

  test("a dead letter and a summary, and it exits with 1", async () => {
    await publish("fail", "no\nway");
    await publish("saveToLocal", "x");
    const { code, stdout, stderr } = await runjobs();
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr).toMatch(/^memq default: task \S+ fail is dead \(attempts: 1\): RangeError: no way$/m);
    expect(stderr).toMatch(/^memq default: 1 done, 0 retried, 1 dead, 0 left in \S+ \(drained\)$/m);
    expect(stderr.match(/memq show ID .* memq retry ID/g)).toHaveLength(1);
  });

  test("a task that is tried again, and it exits with 0", async () => {
    await publish("later");
    const { code, stderr } = await runjobs();
    expect(code).toBe(0);
    expect(stderr).toMatch(/later failed \(attempt 1, again in (59m|1h).*\): not yet$/m);
    expect(stderr).toMatch(/0 done, 1 retried, 0 dead, 1 left/);
  });

  test("an unknown method is a dead letter with the one that was meant, never a success", async () => {
    await publish("saveToLocl", "x");
    const { code, stderr } = await runjobs();
    expect(code).toBe(1);
    expect(stderr).toContain(`has no method "saveToLocl", did you mean "saveToLocal"?`);
  });

  test("--summary text always, json on stdout, never", async () => {
    await publish("saveToLocal", "x");
    const text = await runjobs("--summary", "text");
    expect(text.stderr).toMatch(/^memq default: 1 done, 0 retried, 0 dead, 0 left in \S+ \(drained\)\n$/);
    await publish("fail", "x");
    const json = await runjobs("--summary", "json");
    expect(JSON.parse(json.stdout)).toMatchObject({
      exit: 1,
      queues: [{ queue: "default", done: 0, dead: 1, left: 0, ended: "empty" }],
    });
    await publish("fail", "x");
    const never = await runjobs("--summary", "never");
    expect([never.code, never.stdout]).toEqual([1, ""]);
    expect(never.stderr).not.toContain("done,");
  });

  test("why it ended, under --verbose", async () => {
    await publish("saveToLocal", "x", "--delay", "2h");
    expect((await runjobs("--verbose")).stderr).toMatch(
      /^memq default: 0 done, .*1 left in \S+ \(the rest is not due yet: the next is at \S+ \d\d:\d\d:\d\d\)\n$/,
    );
  });

  test("what handlers log, with the task's id", async () => {
    await publish("speak", "half way");
    expect((await runjobs()).stderr).toMatch(/^\S+: half way\n$/);
  });
});

describe("where a run works", () => {
  test("worker.log lands beside config.ini, wherever the run was started", async () => {
    const elsewhere = join(project.folder, "elsewhere");
    mkdirSync(elsewhere);
    const config = join(project.folder, "config.ini");
    await run("publish-task", ["--config", "../config.ini", "saveToLocal", "x"], { cwd: elsewhere });
    await run("publish-task", ["saveToLocal", "y"], { cwd: "/", env: { MEMQ_CONFIG: config } });
    expect(await run("runjobs", ["-c", "../config.ini"], { cwd: elsewhere })).toMatchObject({
      code: 0,
      stderr: "",
    });
    expect(project.lines()).toEqual(["x", "y"]);
    expect(existsSync(join(elsewhere, "worker.log"))).toBe(false);
  });

  test("a configuration in a parent folder is not taken", async () => {
    const inside = join(project.folder, "inside");
    mkdirSync(inside);
    expect(await run("runjobs", [], { cwd: inside })).toMatchObject({ code: 78 });
  });
});

describe("queues", () => {
  beforeEach(async () => {
    configure("retry = none\n[queue.push]\n[queue.mail]\n");
    for (const queue of ["default", "push", "mail"]) await publish("-q", queue, "saveToLocal", queue);
  });

  test("all of the file are drained, or those that are named", async () => {
    await runjobs("push", "mail");
    expect([...project.lines()].sort()).toEqual(["mail", "push"]);
    await runjobs();
    expect([...project.lines()].sort()).toEqual(["default", "mail", "push"]);
  });

  test("a misspelt one ends the run before it begins", async () => {
    const { code, stderr } = await runjobs("push", "mial");
    expect(code).toBe(64);
    expect(stderr).toContain(`no queue "mial", did you mean "mail"?`);
    expect(project.lines()).toEqual([]);
  });

  test("one whose section is wrong is named, the others are drained", async () => {
    configure("retry = none\n[queue.push]\n[queue.mail]\ntiemout = 5s\n");
    const { code, stderr } = await runjobs();
    expect(code).toBe(78);
    expect(stderr).toContain(`did you mean "timeout"?`);
    expect([...project.lines()].sort()).toEqual(["default", "push"]);
    expect(await runjobs("mail")).toMatchObject({ code: 78 });
  });

  test("one that a broken section line hides is named when it is asked for", async () => {
    configure("retry = none\n[queue. push ]\n[queue.mail]\n");
    const { code, stderr } = await runjobs("push");
    expect(code).toBe(78);
    expect(stderr).toContain("1 problem in config.ini:\n  line 2: ");
    expect(project.lines()).toEqual([]);
  });

  test("one whose memcached is down is named, the others are drained", async () => {
    configure("retry = none\n[queue.push]\nqueueip = 127.0.0.1\nqueueport = 1\n[queue.mail]\n");
    const { code, stderr } = await runjobs();
    expect(code).toBe(69);
    expect(stderr).toMatch(/^runjobs: queue "push": .*127\.0\.0\.1:1.*\[BROKER_UNREACHABLE\]$/m);
    expect([...project.lines()].sort()).toEqual(["default", "mail"]);
  });

  test("one whose memcached cannot be reached says why, in the run's mail", async () => {
    const reset = await startFakeServer((socket) => socket.resetAndDestroy());
    const silent = await startFakeServer(() => undefined);
    const servers = [
      ["127.0.0.1", 1],
      ["nobody.invalid", 11_211],
      ["127.0.0.1", reset.port],
      ["127.0.0.1", silent.port],
    ] as const;
    configure(
      servers
        .map(([host, port], at) => `[queue.${String(at)}]\nqueueip = ${host}\nqueueport = ${String(port)}\n`)
        .join(""),
    );
    const { code, stderr } = await runjobs("0", "1", "2", "3");
    await Promise.all([reset.close(), silent.close()]);
    expect(code).toBe(69);
    expect(stderr).toContain("memcached at 127.0.0.1:1: nothing listens there (ECONNREFUSED)");
    expect(stderr).toMatch(/memcached at nobody\.invalid:11211: .* \(E[A-Z_]+\)/);
    expect(stderr).toMatch(/memcached at 127\.0\.0\.1:\d+: the connection was reset \(ECONNRESET\)/);
    expect(stderr).toMatch(/memcached at 127\.0\.0\.1:\d+: no connection, or no answer on it, within 3 s/);
  });

  test("one whose handler is not there is named, and keeps its tasks", async () => {
    configure("retry = none\n[queue.push]\nclassname = Push\n[queue.mail]\n");
    const { code, stderr } = await runjobs();
    expect(code).toBe(78);
    expect(stderr).toMatch(/^runjobs: queue "push": .*\[HANDLER_MISSING\]$/m);
    expect(await depth("push")).toMatchObject({ waiting: 1, dead: 0 });
  });
});

describe("limits", () => {
  test("--max-tasks ends a run, the rest stays", async () => {
    await publish("saveToLocal", "x", "-n", "5");
    const { code, stderr } = await runjobs("--max-tasks", "2", "--summary", "text");
    expect(code).toBe(0);
    expect(stderr).toMatch(/2 done, .* 3 left in .*\(max-tasks reached\)/);
    expect(project.lines()).toHaveLength(2);
  });

  test("options that are no limits are refused", async () => {
    for (const line of [
      ["--max-time", "soon"],
      ["--max-time", "0s"],
      ["--max-tasks", "0"],
      ["--max-memory", "much"],
      ["--concurrency", "-1"],
      ["--timeout", "0s"],
      ["--summary", "loud"],
    ]) {
      const { code, stderr } = await runjobs(...line);
      expect([line, code]).toEqual([line, 64]);
      expect(stderr).toContain(line[0]);
    }
  });
});

describe("handlers that do not end by themselves", () => {
  test("a timer that was left running does not keep the run", async () => {
    await publish("leak");
    expect(await runjobs()).toMatchObject({ code: 0, stderr: "" });
    expect(project.lines()).toEqual(["leaked"]);
  });

  test("a handler that breaks stderr changes no exit code", async () => {
    await publish("mute");
    await publish("saveToLocal", "after");
    expect(await runjobs()).toMatchObject({ code: 1, stderr: "" });
    expect(project.lines()).toEqual(["muted", "after"]);
  });

  test("process.exit in a handler fails that task alone", async () => {
    await publish("exit");
    await publish("saveToLocal", "after");
    const { code, stderr } = await runjobs();
    expect(code).toBe(1);
    expect(stderr).toContain("called process.exit(0)");
    expect(project.lines()).toEqual(["after"]);
  });
});

describe("signals", () => {
  const startRun = (): Started => start("runjobs", ["--summary", "text"], { cwd: project.folder });

  test.each(["SIGTERM", "SIGINT", "SIGHUP"] as const)(
    "%s lets the task that runs end and hands the rest back",
    async (signal) => {
      for (let n = 0; n < 10; n++) await publish("slow", String(n));
      const running = startRun();
      await logged("start 0");
      running.process.kill(signal);
      const { code, stderr } = await running.ended;
      expect(code).toBe(0);
      expect(stderr).toContain(`runjobs: ${signal}: finishing what runs`);
      expect(stderr).toMatch(/\(stopped\)$/m);
      const started = project.lines().filter((line) => line.startsWith("start")).length;
      expect(project.lines().filter((line) => line.startsWith("end"))).toHaveLength(started);
      expect(started).toBeLessThan(10);
      expect(await depth("default")).toMatchObject({ waiting: 10 - started, running: 0 });
      await runjobs();
      expect([...tally(project.lines()).values()]).toEqual(Array.from({ length: 20 }, () => 1));
    },
  );

  test("a second signal ends the process at once, and the task is run again by another", async () => {
    configure("retry = 0s\n");
    await publish("stuck");
    const running = startRun();
    await logged("stuck 1");
    running.process.kill("SIGTERM");
    await running.stderr(/finishing what runs/);
    running.process.kill("SIGTERM");
    expect(await running.ended).toMatchObject({ code: null, signal: "SIGTERM" });
    const next = startRun();
    await logged("stuck 2");
    next.process.kill("SIGKILL");
    await next.ended;
    expect(project.lines()).toEqual(["stuck 1", "stuck 2"]);
  });
});

describe("a handler file that does not load", () => {
  const withBad = (text: string): void => {
    writeFileSync(join(project.folder, "bad.mjs"), `${text}\nexport default class Bad { x() {} }\n`);
    configure("retry = none\n[queue.b]\nclassname = Bad\nhandlers = ./bad.mjs\n");
  };

  test("because it exits the process harms only its own queue, and is said", async () => {
    withBad("process.exit(0);");
    await publish("slow", "1");
    await publish("x", "-q", "b", "-C", "Bad");
    const { code, stderr } = await runjobs();
    expect({ code, log: project.lines() }).toEqual({ code: 78, log: ["start 1", "end 1"] });
    expect(stderr).toContain("bad.mjs could not be loaded: Error: the handler called process.exit(0)");
    expect(await depth("b")).toMatchObject({ waiting: 1, dead: 0 });
    const check = await project.run("memq", ["check", "-q", "b"]);
    expect(check).toMatchObject({ code: 78 });
    expect(check.stderr).toContain("the handler called process.exit(0)");
  });

  test("because it waits for ever is given up when the run is to stop", async () => {
    withBad(`console.error("loading"); setInterval(() => {}, 1_000); await new Promise(() => {});`);
    await publish("x", "-q", "b", "-C", "Bad");
    const run = start("runjobs", ["--summary", "text"], { cwd: project.folder });
    await run.stderr(/^loading$/m);
    run.process.kill("SIGTERM");
    const { code, stderr } = await run.ended;
    expect(code).toBe(0);
    expect(stderr).toMatch(/^memq b: 0 done, .* 1 left in .* \(stopped\)$/m);
  });
});
