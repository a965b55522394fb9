import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { once } from "node:events";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { makeProject, tally, type Ended, type Project } from "../servers/project.ts";

const HANDLER = `
import { appendFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { task } from ${JSON.stringify(new URL("../../dist/index.js", import.meta.url).href)};
const log = (line) => appendFileSync("./worker.log", line + "\\n");
export default class Worker {
  note(n) { log("note " + n); }
  speak(text) { task().log(text); }
  fail(n) { throw new Error("no user " + n); }
  nap() { return pause(1_000); }
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
  writeFileSync(join(project.folder, "config.ini"), `retry = none\n${config}\n`);
};
const publish = async (...args: string[]): Promise<void> => {
  expect((await project.run("publish-task", args)).code).toBe(0);
};
const runjobs = (...args: string[]): Promise<Ended> => project.run("runjobs", args);
const numbers = (count: number): string => Array.from({ length: count }, (_, i) => `${String(i)}\n`).join("");

test("a run that mostly waited says what to try, with its summary", async () => {
  await publish("nap", "-n", "6");
  const { stderr } = await runjobs("--summary", "text");
  expect(stderr).toMatch(
    /^memq default: 6 done, .*\nmemq default: \d\d % of the time waiting: try concurrency = \d+\n$/,
  );
});

describe("the log", () => {
  test("gets a whole line per task from four overlapping runs, with the time and the process", async () => {
    configure("log = ./memq.log");
    await project.run("publish-task", ["note", "--from", "-"], numbers(2_000));
    const runs = await Promise.all([1, 2, 3, 4].map(() => runjobs()));
    for (const run of runs) expect(run).toEqual({ code: 0, signal: null, stdout: "", stderr: "" });
    const lines = project.lines("memq.log");
    const whole =
      /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d \[\d+\] (?:default (\S+) note done in \S+|memq default: \d+ done, .*)$/;
    expect(lines.filter((line) => !whole.test(line))).toEqual([]);
    const ids = lines.flatMap((line) => whole.exec(line)?.[1] ?? []);
    expect(ids).toHaveLength(2_000);
    expect(new Set(ids).size).toBe(2_000);
  });

  test("gets what handlers log, on one line, and stderr stays silent", async () => {
    configure("log = ./memq.log");
    await publish("speak", "half\nway");
    expect(await runjobs()).toMatchObject({ code: 0, stderr: "" });
    expect(project.lines("memq.log")[0]).toMatch(/^\S+ \[\d+\] \S+: half way$/);
  });

  test("that cannot be written is said, and harms no task", async () => {
    configure("log = ./gone/memq.log");
    await publish("note", "a");
    const { code, stderr } = await runjobs();
    expect(code).toBe(0);
    expect(stderr).toMatch(/^memq default: the log cannot be written: ENOENT/m);
    expect(project.lines()).toEqual(["note a"]);
  });

  test("is not made by a run that found nothing to do", async () => {
    configure("log = ./memq.log");
    await runjobs();
    expect(existsSync(join(project.folder, "memq.log"))).toBe(false);
  });
});

describe("stderr", () => {
  test("the same error is said a few times, and then how often it came", async () => {
    await project.run("publish-task", ["fail", "--from", "-"], numbers(417));
    const { code, stderr } = await runjobs();
    expect(code).toBe(1);
    const lines = stderr.trimEnd().split("\n");
    expect(lines.filter((line) => line.includes("is dead"))).toHaveLength(5);
    expect(lines.slice(-3)).toEqual([
      expect.stringMatching(/^memq default: … 412 more like this: fail: no user \d+$/),
      expect.stringMatching(/^memq default: 0 done, 0 retried, 417 dead, 0 left/),
      expect.stringMatching(/^ {2}memq show ID .* memq retry ID/),
    ]);
    await project.run("publish-task", ["fail", "--from", "-"], numbers(20));
    expect((await runjobs("--verbose")).stderr.match(/is dead/g)).toHaveLength(20);
  });

  test("a queue past its limits is said by the run that leaves it so", async () => {
    configure("warn = 3 waiting");
    await publish("note", "x", "-n", "5");
    const { code, stderr } = await runjobs("--max-tasks", "2");
    expect([code, stderr]).toEqual([0, "memq default: 3 tasks wait (warn = 3 waiting)\n"]);
    expect(await runjobs()).toMatchObject({ code: 0, stderr: "" });
  });
});

describe("pings", () => {
  let server: Server;
  let url: string;
  let heard: string[];
  let answers: boolean;
  beforeEach(async () => {
    heard = [];
    answers = true;
    server = createServer((request, response) => {
      let body = "";
      request.on("data", (data: Buffer) => (body += data.toString()));
      request.on("end", () => {
        heard.push(`${request.url ?? ""}${body === "" ? "" : ` ${body}`}`);
        if (answers) response.end("OK");
      });
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    url = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}/uuid`;
  });
  afterEach(() => {
    server.closeAllConnections();
    server.close();
  });

  test("tell of the start, and of how it ended; one for all queues that have the same address", async () => {
    configure(`ping = ${url}\n[queue.push]`);
    await publish("note", "a");
    await publish("-q", "push", "note", "b");
    expect(await runjobs()).toMatchObject({ code: 0, stderr: "" });
    expect(heard).toEqual(["/uuid/start", "/uuid"]);
    await publish("fail", "c");
    await runjobs();
    expect(heard[2]).toBe("/uuid/start");
    expect(heard[3]).toMatch(/^\/uuid\/fail memq default: 0 done, 0 retried, 1 dead/);
  });

  test("an empty run tells that it was there", async () => {
    expect(await runjobs("--ping", url)).toMatchObject({ code: 0, stderr: "" });
    expect(heard).toEqual(["/uuid"]);
  });

  test("a monitor that hangs delays the run by five seconds at most, and fails nothing", async () => {
    const tookMs = async (): Promise<number> => {
      const before = performance.now();
      expect(await runjobs("--ping", url)).toMatchObject({ code: 0, stderr: "" });
      return performance.now() - before;
    };
    const usualMs = await tookMs();
    answers = false;
    await publish("note", "a");
    const hangingMs = await tookMs();
    expect(hangingMs).toBeGreaterThan(4_500);
    expect(hangingMs).toBeLessThan(6_500 + 3 * usualMs);
    expect(project.lines()).toEqual(["note a"]);
  });

  test("a monitor that is away fails nothing, and is said under --verbose", async () => {
    const away = ["--ping", "http://127.0.0.1:1/uuid"];
    expect(await runjobs(...away)).toMatchObject({ code: 0, stderr: "" });
    expect((await runjobs(...away, "--verbose")).stderr).toMatch(/^ping 127\.0\.0\.1:1: .*ECONNREFUSED/m);
  });

  test("a run that exits with a failure beside its queues does not tell that it went well", async () => {
    configure(`ping = ${url}\n[queue.broken]\nretry = 7 apples`);
    await publish("note", "a");
    expect((await runjobs()).code).toBe(78);
    expect(heard[1]).toMatch(/^\/uuid\/fail memq default: 1 done, .*\nthe run exits with 78, /);
    heard = [];
    const away = `queueip = 127.0.0.1\nqueueport = 1`;
    const schedule = `[schedule.s]\ncron = * * * * *\ncall = note b\nqueue = away`;
    configure(`ping = ${url}\n[queue.away]\n${away}\nping = none\n${schedule}`);
    expect((await runjobs()).code).toBe(69);
    expect(heard).toEqual([expect.stringMatching(/^\/uuid\/fail memq default: 0 done, /)]);
  });

  test.each([
    ["a configuration that is wrong", "timeout = 7 apples", []],
    ["a queue whose section is wrong", "[queue.broken]\nretry = 7 apples", ["broken"]],
  ])("a run that cannot begin for %s tells the monitor of its command line", async (_, config, words) => {
    configure(config);
    expect((await runjobs(...words, "--ping", url)).code).toBe(78);
    expect(heard).toEqual([expect.stringMatching(/^\/uuid\/fail 1 problem in .*7 apples/s)]);
  });

  test("an address that is none is refused", async () => {
    const { code, stderr } = await runjobs("--ping", "ftp://example.org/");
    expect(code).toBe(64);
    expect(stderr).toContain("is not an http or https URL");
  });
});

describe("what a host remembers", () => {
  test("a folder that cannot be used keeps no task from running, and is said", async () => {
    await publish("note", "a");
    writeFileSync(join(project.folder, "memq-data", "runs"), "a file in its place");
    const { code, stderr } = await runjobs();
    expect(code).toBe(0);
    expect(stderr).toMatch(
      /^memq default: what runs do is not remembered on this host: E\w+.*; memq doctor says what to do/m,
    );
    expect(project.lines()).toEqual(["note a"]);
    expect(await runjobs()).toMatchObject({ code: 0, stderr: "" }); // it did nothing that could be remembered
  });

  test("twenty overlapping empty runs are all counted, and leave no record", async () => {
    await publish("note", "a");
    await runjobs();
    for (let round = 0; round < 4; round++) await Promise.all(Array.from({ length: 5 }, () => runjobs()));
    const { stdout } = await project.run("memq", ["runs", "--json"]);
    const { runs, empty } = JSON.parse(stdout) as { runs: object[]; empty: { count: number }[] };
    expect([runs.length, empty[0]?.count]).toEqual([1, 20]);
  });
});

test("memq status --watch shows the status again every two seconds until it is interrupted", async () => {
  const watching = project.start("memq", ["status", "--watch"]);
  let text = "";
  watching.process.stdout?.on("data", (data: string) => (text += data));
  await expect
    .poll(() => text.match(/^queue +waiting/gm)?.length ?? 0, { timeout: 10_000 })
    .toBeGreaterThan(1);
  watching.process.kill("SIGINT");
  expect(await watching.ended).toMatchObject({ code: 0, signal: null, stderr: "" });
});

test("each task of overlapping runs is done once", async () => {
  configure("max-runs = 3");
  await project.run("publish-task", ["note", "--from", "-"], numbers(1_000));
  await Promise.all(Array.from({ length: 8 }, () => runjobs()));
  expect(new Set(tally(project.lines()).values())).toEqual(new Set([1]));
  expect(project.lines()).toHaveLength(1_000);
});
