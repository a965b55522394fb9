import { execFileSync, spawnSync } from "node:child_process";
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { noMemcached, startMemcached, type MemcachedServer } from "../servers/memcached-server.ts";
import { run, type Ended } from "./command.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "memq care ")); // a blank, as in many a user's path
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

const memq = (...args: string[]): Promise<Ended> => run("memq", args, { cwd: folder });
const publish = async (...args: string[]): Promise<string> => {
  const { code, stdout } = await run("publish-task", args, { cwd: folder });
  expect(code).toBe(0);
  return stdout.trim();
};

test("from init to worker.log, the way its sentences say", async () => {
  const made = await memq("init");
  expect(made.code).toBe(0);
  await publish("saveToLocal", "hello");
  expect(await memq("check")).toMatchObject({ code: 0, stderr: "Everything is in order.\n" });
  // The crontab line itself, as cron would run it: sh, next to no PATH, another folder.
  const command = made.stdout.trim().replace("*/10 * * * * ", "").replaceAll("\\%", "%");
  execFileSync("/bin/sh", ["-c", command], { cwd: "/", env: { PATH: "/usr/bin:/bin" } });
  expect(readFileSync(join(folder, "worker.log"), "utf8")).toBe("hello\n");
});

describe("with a queue", () => {
  beforeEach(async () => {
    expect((await memq("init")).code).toBe(0);
  });

  test("looking consumes nothing", async () => {
    const id = await publish("saveToLocal", "x");
    for (let round = 0; round < 2; round++) {
      expect((await memq("list")).stdout).toContain(id);
      expect((await memq("show", id)).stdout).toContain(`Worker.saveToLocal("x")`);
      expect((await memq("status")).stdout).toMatch(/^default +1 /m);
    }
  });

  test("a dead letter is found, put back and run", async () => {
    const id = await publish("saveToLocl", "x");
    expect((await run("runjobs", [], { cwd: folder })).code).toBe(1);
    expect((await memq("list", "dead")).stdout).toMatch(
      new RegExp(`^${id} .*has no method "saveToLocl", did you mean "saveToLocal"\\?$`, "m"),
    );
    expect(await memq("retry", "--all")).toMatchObject({ code: 64, stdout: "" });
    expect(await memq("retry", "--all", "--yes")).toMatchObject({
      code: 0,
      stderr: "1 dead letter put back.\n",
    });
    expect(await memq("check")).toMatchObject({ code: 78 });
    expect(await memq("purge", "waiting", "--yes")).toMatchObject({ code: 0 });
    expect(await memq("check")).toMatchObject({ code: 0 });
  });

  test("a script cancels by key without being asked", async () => {
    await publish("saveToLocal", "x", "--key", "order:42", "--delay", "20m");
    expect(await memq("cancel", "--key", "order:42", "--quiet")).toEqual({
      code: 0,
      signal: null,
      stdout: "",
      stderr: "",
    });
    expect(await memq("cancel", "--key", "order:42")).toMatchObject({ code: 65 });
  });

  test("a reader that has seen enough is no error", async () => {
    await publish("saveToLocal", "x".repeat(500), "-n", "1000");
    const options = { cwd: folder, redirect: "| head -n 1" };
    const { code, stderr } = await run("memq", ["list", "--limit", "1000"], options);
    expect([code, stderr.replace(/^More: .*\n/, "")]).toEqual([0, ""]);
  });

  test("a handler that leaves something open does not keep check", async () => {
    writeFileSync(
      join(folder, "handlers", "worker.mjs"),
      "setInterval(() => {}, 1000);\nexport default class Worker { saveToLocal() {} }\n",
    );
    expect((await memq("check")).code).toBe(0);
  });
});

const TERMINAL = "script";
// util-linux gives a command a terminal; elsewhere `script` has other options.
const version: unknown = spawnSync(TERMINAL, ["--version"], { encoding: "utf8" }).stdout; // null without it
const noTerminal = String(version).includes("util-linux") ? undefined : "no script of util-linux";

describe.skipIf(noTerminal !== undefined)(`on a terminal (${noTerminal ?? "of script"})`, () => {
  /** What the terminal shows of a command, with what somebody types. */
  function onTerminal(line: string, { input = "", env = {} } = {}): string {
    const scripts = new URL("../../scripts/", import.meta.url).pathname;
    const command = `"${process.execPath}" "${scripts}"${line}`;
    const options = { cwd: folder, input, env: { PATH: process.env["PATH"], TERM: "xterm", ...env } };
    return execFileSync(TERMINAL, ["-qec", command, "/dev/null"], { ...options, encoding: "utf8" });
  }
  const BOLD = "\u001b[1m";

  beforeEach(async () => {
    await memq("init");
    await publish("saveToLocal", "x");
  });

  test("what removes tasks is asked, and yes does it", async () => {
    expect(onTerminal("memq purge waiting", { input: "n\n" })).toContain("Nothing was done.");
    expect((await memq("status")).stdout).toMatch(/^default +1 /m);
    const shown = onTerminal("memq purge waiting", { input: "y\n" });
    expect(shown).toContain("Remove 1 waiting task from queue default? [y/N]");
    expect(shown).toContain("1 task removed from queue default.");
  });

  test("headings are bold, unless NO_COLOR says otherwise", () => {
    expect(onTerminal("memq status")).toContain(`${BOLD}queue`);
    expect(onTerminal("memq status", { env: { NO_COLOR: "1" } })).not.toContain(BOLD);
  });

  test("a run says what it did", () => {
    expect(onTerminal("runjobs")).toMatch(
      /memq default: 1 done, 0 retried, 0 dead, 0 left in \S+ \(drained\)/,
    );
  });
});

describe.skipIf(noMemcached !== undefined)(`on memcached (${noMemcached ?? "there"})`, () => {
  let server: MemcachedServer;
  beforeEach(async () => {
    server = await startMemcached(["-M"]);
    await memq("init");
    const address = `queueip = ${server.host}\nqueueport = ${String(server.port)}\nretry = none\n`;
    writeFileSync(join(folder, "config.ini"), address);
  });
  afterEach(() => server.stop());

  test("tasks are shown, cancelled, put back and removed the same way", async () => {
    const [later, dead] = [
      await publish("saveToLocal", "later", "--delay", "1h", "--key", "order:42"),
      await publish("saveToLocl", "dead"),
    ];
    expect((await memq("status")).stdout).toMatch(
      new RegExp(`^default +1 +1 +0 +0 .* memcached ${server.host}:${String(server.port)}$`, "m"),
    );
    expect((await memq("check")).code).toBe(78);
    expect((await memq("list", "delayed")).stdout).toContain(later);
    expect((await memq("show", "--key", "order:42")).stdout).toMatch(/^state +delayed until /m);
    expect((await memq("cancel", "--key", "order:42")).code).toBe(0);
    expect((await memq("show", later)).code).toBe(65);
    expect((await run("runjobs", [], { cwd: folder })).code).toBe(1);
    expect((await memq("list", "dead")).stdout).toMatch(
      new RegExp(`^${dead} .*did you mean "saveToLocal"`, "m"),
    );
    expect((await memq("retry", dead)).stderr).toBe("1 dead letter put back.\n");
    expect((await memq("purge", "waiting", "--yes")).stderr).toBe("1 task removed from queue default.\n");
    expect((await memq("status")).stdout).toMatch(/^default +0 +0 +0 +0 /m);
  });

  test("a server that stopped is named: 69", async () => {
    const id = await publish("saveToLocal", "x");
    await server.stop();
    const commands = [
      ...[["status"], ["list"], ["show", id], ["retry", id], ["cancel", id], ["check"]].map((words) =>
        memq(...words),
      ),
      run("publish-task", ["saveToLocal", "x"], { cwd: folder }),
      run("runjobs", [], { cwd: folder }),
    ];
    for (const { code, stderr } of await Promise.all(commands)) {
      expect(stderr).toContain("[BROKER_UNREACHABLE]");
      expect(code).toBe(69);
    }
  });
});

describe("a memcached that is not there", () => {
  test("is named, the other queues are shown: 69", async () => {
    await memq("init");
    appendFileSync(join(folder, "config.ini"), "[queue.push]\nqueueip = 127.0.0.1\nqueueport = 1\n");
    const [status, check] = await Promise.all([memq("status"), memq("check")]);
    expect(status.code).toBe(69);
    expect(status.stdout).toMatch(/^default +0 /m);
    expect(status.stdout).toMatch(/^push +\? .*memcached 127\.0\.0\.1:1$/m);
    expect(status.stderr).toMatch(/^memq status: queue "push": .*\[BROKER_UNREACHABLE\]$/m);
    expect(check.code).toBe(69);
    expect(check.stderr).toContain("1 problem found.");
  });

  test("is told with the likely cause by every command", async () => {
    await memq("init");
    appendFileSync(join(folder, "config.ini"), "[queue.push]\nqueueip = 127.0.0.1\nqueueport = 1\n");
    const commands = [
      ["status"],
      ["list"],
      ["check"],
      ["show", "someid"],
      ["cancel", "--all", "--yes"],
      ["purge", "--all", "--yes"],
      ["retry", "--all", "--yes"],
    ];
    const ended = await Promise.all(commands.map((words) => memq(...words, "-q", "push")));
    for (const { code, stderr } of ended) {
      expect(stderr).toContain("memcached at 127.0.0.1:1: nothing listens there (ECONNREFUSED)");
      expect(code).toBe(69);
    }
  });
});
