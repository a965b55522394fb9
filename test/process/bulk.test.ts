import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { noMemcached, startMemcached, type MemcachedServer } from "../servers/memcached-server.ts";
import { makeProject, type Ended, type Project } from "../servers/project.ts";

const HANDLER = `
import { openSync, writeSync } from "node:fs";
const log = openSync("./worker.log", "a");
export default class Worker {
  push(line) { writeSync(log, line + "\\n"); }
  fail() { throw new Error("no"); }
  none() {}
}
`;

let project: Project;
let server: MemcachedServer | undefined;

const write = (name: string, content: string | Buffer): void => {
  writeFileSync(join(project.folder, name), content);
};
const publish = (...args: string[]): Promise<Ended> => project.run("publish-task", args);
const json = ({ stdout }: Ended): unknown => JSON.parse(stdout);

function lines(count: number, from = 0): string {
  let text = "";
  for (let index = from; index < from + count; index++) text += `user-${String(index)}\n`;
  return text;
}

async function waiting(): Promise<number> {
  const { queues } = json(await project.run("memq", ["status", "--json"])) as {
    queues: { waiting: number }[];
  };
  return queues[0]?.waiting ?? 0;
}

/** Kills a publisher when it has published about that much; answers how much it was. */
async function killAt(count: number, args: readonly string[]): Promise<number> {
  const running = project.start("publish-task", args);
  let seen = 0;
  while (seen < count && running.process.exitCode === null) seen = await waiting();
  running.process.kill("SIGKILL");
  expect(await running.ended).toMatchObject({ signal: "SIGKILL" });
  return waiting();
}

const BROKERS = [
  { name: "the embedded store", needs: undefined, config: (): string => "" },
  {
    name: "memcached",
    needs: noMemcached,
    config: (): string => `queueip = 127.0.0.1\nqueueport = ${String(server?.port)}\n`,
  },
];

beforeAll(async () => {
  if (noMemcached === undefined) server = await startMemcached(["-m", "256", "-M"]);
});
afterAll(async () => {
  await server?.stop();
});

describe.each(BROKERS)("a bulk on $name", ({ needs, config }) => {
  beforeEach(async ({ skip }) => {
    if (needs !== undefined) skip(needs);
    await server?.command("flush_all");
    project = makeProject({ config: config(), handler: HANDLER });
  });
  afterEach(() => {
    if (needs === undefined) project.remove();
  });

  test(
    "that is killed half-way and run again publishes each line exactly once",
    { timeout: 120_000 },
    async () => {
      const count = 50_000;
      write("users.txt", lines(count));
      const args = ["push", "--from", "users.txt", "--bulk", "spring"];
      const first = await killAt(3_000, args);
      expect(first).toBeLessThan(count);
      const second = await killAt(first + 3_000, args);
      expect(second).toBeLessThan(count);
      const over = await project.run("memq", ["wait", "spring", "--for", "1s"]);
      expect(over.code).toBe(75);
      expect(over.stderr).toContain("not to its end");
      const waiter = project.start("memq", ["wait", "spring", "--for", "100s", "--json"]);
      const [ended, run] = await Promise.all([publish(...args, "--json"), project.run("runjobs")]);
      expect([ended.code, json(ended)]).toEqual([0, { kept: count, duplicate: 0, refused: 0 }]);
      expect(run.code).toBe(0);
      expect((await project.run("runjobs")).code).toBe(0);
      const pushed = project.lines();
      expect(pushed).toHaveLength(count);
      expect(new Set(pushed).size).toBe(count);
      const waited = await waiter.ended;
      expect([waited.code, json(waited)]).toMatchObject([0, { kept: count, done: count, dead: 0, left: 0 }]);
    },
  );

  test("that is over and run again publishes only what the file has grown by", async () => {
    write("users.txt", lines(1_500));
    const args = ["push", "--from", "users.txt", "--bulk", "spring"];
    expect((await publish(...args)).stderr).toBe("bulk spring: 1500 kept, 0 duplicate, 0 refused\n");
    expect((await publish(...args)).stderr).toContain("1500 kept, 0 duplicate, 0 refused (0 of them now)");
    write("users.txt", lines(1_600));
    expect((await publish(...args)).stderr).toContain("(100 of them now)");
    expect(await waiting()).toBe(1_600);
  });

  test("refuses to go on with another input or another method", async () => {
    write("users.txt", lines(1_500));
    await publish("push", "--from", "users.txt", "--bulk", "spring");
    write("users.txt", lines(1_500, 7));
    const other = await publish("push", "--from", "users.txt", "--bulk", "spring");
    expect(other.code).toBe(65);
    expect(other.stderr).toMatch(/first 1500 lines differ.*BULK_CHANGED/);
    write("users.txt", lines(1_400));
    expect((await publish("push", "--from", "users.txt", "--bulk", "spring")).code).toBe(65);
    write("users.txt", lines(1_500));
    expect((await publish("none", "--from", "users.txt", "--bulk", "spring")).code).toBe(65);
    expect(await waiting()).toBe(1_500);
  });

  test("is waited for with one exit code", async () => {
    write("calls.ndjson", `["push","a"]\n["fail"]\n["push","b"]\n`);
    await publish("--from", "calls.ndjson", "--format", "ndjson", "--retries", "0", "--bulk", "mixed");
    const early = await project.run("memq", ["wait", "mixed", "--for", "0s"]);
    expect([early.code, early.stdout]).toEqual([75, "bulk mixed: 0 done, 0 dead, 3 left\n"]);
    await project.run("runjobs");
    const late = await project.run("memq", ["wait", "mixed", "--for", "10s"]);
    expect([late.code, late.stdout]).toEqual([1, "bulk mixed: 2 done, 1 dead, 0 left\n"]);
    const unknown = await project.run("memq", ["wait", "nobody"]);
    expect([unknown.code, unknown.stderr]).toEqual([65, expect.stringContaining("BULK_UNKNOWN") as string]);
  });

  test("publishes the good lines and writes the bad ones to --errors", async () => {
    write("calls.ndjson", `["push","a"]\nnonsense\n["push","b"]\r\n["_hidden"]\n\n["push","c"]\n`);
    const ended = await publish(
      "--from",
      "calls.ndjson",
      "--format",
      "ndjson",
      "--errors",
      "bad.ndjson",
      "--json",
    );
    expect([ended.code, json(ended)]).toEqual([65, { kept: 3, duplicate: 0, refused: 2 }]);
    expect(ended.stderr).toBe("2 lines refused: see bad.ndjson\n");
    const bad = readFileSync(join(project.folder, "bad.ndjson"), "utf8").trim().split("\n");
    expect(bad.map((line) => JSON.parse(line) as unknown)).toEqual([
      { line: 2, reason: "the line is not JSON", code: "ARGS_INVALID", text: "nonsense" },
      { line: 4, reason: expect.any(String) as string, code: "CALL_INVALID", text: `["_hidden"]` },
    ]);
    await project.run("runjobs");
    expect(project.lines()).toEqual(["a", "b", "c"]);
  });

  test("is read from a packed file, also when it goes on", async () => {
    write("users.txt.gz", gzipSync(lines(2_500)));
    const args = ["push", "--from", "users.txt.gz", "--bulk", "packed"];
    expect((await publish(...args)).code).toBe(0);
    expect((await publish(...args)).stderr).toContain("2500 kept, 0 duplicate, 0 refused (0 of them now)");
    await project.run("runjobs");
    expect(project.lines().join("\n") + "\n").toBe(lines(2_500));
  });
});

describe("the input of a bulk", () => {
  beforeEach(() => {
    project = makeProject({ config: "", handler: HANDLER });
  });
  afterEach(() => {
    project.remove();
  });

  test("that is packed and cut off is an error, and what was read before is published", async () => {
    const packed = gzipSync(Buffer.from(lines(100_000)));
    write("users.txt.gz", packed.subarray(0, packed.length / 2));
    const { code, stderr } = await publish("push", "--from", "users.txt.gz");
    expect(code).toBe(64);
    expect(stderr).toMatch(/users\.txt\.gz cannot be read: unexpected end of file/);
  });

  test("may be as long as it likes: memory stays where it is", { timeout: 120_000 }, async () => {
    write("users.txt", lines(300_000));
    const running = project.start("publish-task", ["none", "--from", "users.txt", "--bulk", "long"]);
    let most = 0;
    while (running.process.exitCode === null && running.process.signalCode === null) {
      most = Math.max(most, residentMb(running.process.pid ?? 0));
      await new Promise(setImmediate);
    }
    expect((await running.ended).code).toBe(0);
    expect(most).toBeGreaterThan(10);
    expect(most).toBeLessThan(180); // seen: 129 to 157, with 300,000 lines as with a million
  });

  test("without a name cannot be resumed, and a name needs a file", async () => {
    expect((await publish("push", "x", "--bulk", "b")).code).toBe(64);
    expect((await publish("push", "x", "--errors", "e")).code).toBe(64);
    write("users.txt", lines(1));
    expect((await publish("push", "--from", "users.txt", "--bulk", "a\nb")).code).toBe(64);
  });
});

describe.skipIf(noMemcached !== undefined)("a bulk on a memcached without room", () => {
  let small: MemcachedServer;
  beforeAll(async () => {
    small = await startMemcached(["-m", "8", "-M"]);
  });
  afterAll(async () => {
    await small.stop();
  });

  test.each([
    ["without a name", []],
    ["with a name", ["--bulk", "large"]],
  ])("%s is cut short and tells what is kept", async (_name, named) => {
    await small.command("flush_all");
    const config = `queueip = 127.0.0.1\nqueueport = ${String(small.port)}\n`;
    project = makeProject({ config, handler: HANDLER });
    try {
      const line = "x".repeat(400);
      write("users.txt", Array.from({ length: 40_000 }, (_, at) => `${String(at)} ${line}\n`).join(""));
      const ended = await publish("push", "--from", "users.txt", "--json", ...named);
      expect(ended.code).toBe(75);
      const { kept } = json(ended) as { kept: number };
      expect(kept).toBeGreaterThan(1_000);
      expect(kept).toBeLessThan(40_000);
      expect(ended.stderr).toContain("QUEUE_FULL");
      await project.run("runjobs");
      expect(new Set(project.lines()).size).toBe(kept);
      expect(project.lines()).toHaveLength(kept);
    } finally {
      project.remove();
    }
  });
});

/** Of a process, as the kernel counts it; 0 when it is gone. */
function residentMb(pid: number): number {
  try {
    return (
      Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${String(pid)}/status`, "utf8"))?.[1] ?? 0) / 1_024
    );
  } catch {
    return 0;
  }
}

test.each([
  ["SIGTERM", 143],
  ["SIGINT", 130],
] as const)("a bulk that %s ends says what it kept, and is gone on with", async (signal, exit) => {
  project = makeProject({ config: "", handler: HANDLER });
  write("users.txt", lines(200_000));
  const command = ["push", "--from", "users.txt", "--bulk", "spring"];
  const running = project.start("publish-task", command);
  while ((await waiting()) === 0);
  running.process.kill(signal);
  const { code, stderr } = await running.ended;
  const kept = await waiting();
  expect(code).toBe(exit);
  expect(stderr).toContain(`bulk spring: ${String(kept)} kept, 0 duplicate, 0 refused`);
  expect(stderr).toContain(
    `${signal}: the lines after ${String(kept)} were not published; the same command goes on with bulk spring`,
  );
  expect(json(await publish(...command, "--json"))).toEqual({ kept: 200_000, duplicate: 0, refused: 0 });
  project.remove();
});
