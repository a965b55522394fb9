import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { makeProject, type Ended, type Project } from "../servers/project.ts";
import { run } from "./command.ts";

const HANDLER = `
import { appendFileSync } from "node:fs";
import { task } from ${JSON.stringify(new URL("../../dist/index.js", import.meta.url).href)};
const log = (value) => appendFileSync("./worker.log", JSON.stringify(value) + "\\n");
export default class Worker {
  say(...args) { log(args); }
  size(text) { log([text.length, text.slice(0, 10)]); }
  greet(name) { return "hello " + name; }
  shape() { return { a: [1, "x"] }; }
  fail(why) { throw new RangeError(why); }
  whoAmI() { return task().attempt; }
}
export class Other { say(...args) { log(["other", ...args]); } }
`;

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
const publish = (...args: string[]): Promise<Ended> => project.run("publish-task", args);
const publishInput = (input: string | Buffer, ...args: string[]): Promise<Ended> =>
  run("publish-task", args, { cwd: project.folder, input });

/** What the handler got, in order. */
async function handled(): Promise<unknown[]> {
  expect(await project.run("runjobs")).toEqual({ code: 0, signal: null, stdout: "", stderr: "" });
  return project.lines().map((line) => JSON.parse(line) as unknown);
}

async function depth(queue = "default"): Promise<Record<string, unknown>> {
  const { stdout } = await project.run("memq", ["status", "--json"]);
  const { queues } = JSON.parse(stdout) as { queues: Record<string, unknown>[] };
  const found = queues.find((one) => one["queue"] === queue);
  if (found === undefined) throw new Error(`no queue ${queue}`);
  return found;
}

describe("arguments", () => {
  test("arrive unchanged, whatever they are", async () => {
    const args = [
      "你好，世界",
      "🎉👩‍👩‍👧",
      `it's "quoted" \\ back`,
      "line\nbreak\r\n\ttab",
      "",
      "-5",
      "-0.5",
      "  blanks  ",
      "a=b;c#d%e$HOME`x`",
    ];
    const { code, stdout, stderr } = await publish("say", ...args);
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toMatch(/^\S+\n$/);
    expect(await handled()).toEqual([args]);
  });

  test("behind -- options are arguments too", async () => {
    await publish("--", "say", "--help", "-q", "--", "-x");
    await publish("say", "--", "--json");
    expect(await handled()).toEqual([["--help", "-q", "--", "-x"], ["--json"]]);
  });

  test("are JSON where that is said", async () => {
    await publish("--json-args", "say", "1", "-2.5", '"text"', "null", "true", '{"键":[1]}');
    expect(await handled()).toEqual([[1, -2.5, "text", null, true, { 键: [1] }]]);
  });

  test("stand in call text as the article wrote it, and it is never evaluated", async () => {
    await publish("say('你好 \"x\"', 42, [true]);");
    expect((await publish("say(process.exit(3))")).code).toBe(64);
    expect(await handled()).toEqual([['你好 "x"', 42, [true]]]);
  });

  test("500 KB come through standard input, to the byte", async () => {
    const text = `\ufeff${"好".repeat(160_000)}\n\n end \r\n`;
    const { code } = await publishInput(text, "say", "--stdin");
    expect(code).toBe(0);
    expect(await handled()).toEqual([[text]]);
  });

  test("empty standard input is the empty argument", async () => {
    await publishInput("", "say", "--stdin");
    expect(await handled()).toEqual([[""]]);
  });
});

describe("options", () => {
  test("--json prints the id as an object", async () => {
    const { stdout } = await publish("say", "x", "--json");
    expect(JSON.parse(stdout)).toEqual({ id: expect.stringMatching(/^\S+$/) as unknown });
  });

  test("-C names another class", async () => {
    await publish("-C", "Other", "say", "x");
    expect(await handled()).toEqual([["other", "x"]]);
  });

  test("-q names another queue", async () => {
    configure("[queue.push]\n");
    await publish("-q", "push", "say", "x");
    expect(await depth("push")).toMatchObject({ waiting: 1 });
    expect(await depth()).toMatchObject({ waiting: 0 });
  });

  test("a delayed task waits for its time, to the second", async () => {
    await publish("say", "later", "--delay", "20m");
    await publish("say", "at", "--at", "2099-01-31T08:30:00Z");
    await publish("say", "past", "--at", "2020-01-01");
    expect(await depth()).toMatchObject({ waiting: 1, delayed: 2 });
    expect(await handled()).toEqual([["past"]]);
    const { stdout } = await project.run("memq", ["list", "delayed", "--json"]);
    expect(stdout).toContain(`"dueAt":"2099-01-31T08:30:00.000Z"`);
  });

  test("of tasks with one key one is kept, replaced or refused, as is said", async () => {
    const key = ["--key", "order:42"];
    const first = await publish("say", "1", ...key, "--delay", "1h");
    const kept = await publish("say", "2", ...key);
    expect([kept.code, kept.stdout]).toEqual([0, first.stdout]);
    const refused = await publish("say", "3", ...key, "--on-duplicate", "error");
    expect([refused.code, refused.stdout]).toEqual([65, ""]);
    expect(refused.stderr).toContain("order:42");
    expect(refused.stderr).toContain("[DUPLICATE]");
    const replaced = await publish("say", "4", ...key, "--on-duplicate", "replace");
    expect(replaced.code).toBe(0);
    expect(replaced.stdout).not.toBe(first.stdout);
    expect(await handled()).toEqual([["4"]]);
    expect((await publish("say", "5", ...key, "--on-duplicate", "error")).code).toBe(0);
  });

  test("--retries and --timeout are the task's own", async () => {
    const { stdout } = await publish("say", "x", "--retries", "7", "--timeout", "90s");
    const shown = await project.run("memq", ["show", stdout.trim(), "--json"]);
    expect(JSON.parse(shown.stdout)).toMatchObject({ retries: 7, timeoutMs: 90_000 });
  });

  test("--dry-run shows the task and keeps none", async () => {
    const { code, stdout } = await publish("--dry-run", "say", "x", "--delay", "1h", "--key", "k");
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      queue: "default",
      class: "Worker",
      method: "say",
      args: ["x"],
    });
    expect(existsSync(join(project.folder, "memq-data"))).toBe(false);
  });
});

describe("--now", () => {
  test("runs the method here, and prints what it returns", async () => {
    expect(await publish("--now", "greet", "Ann")).toMatchObject({
      code: 0,
      stdout: "hello Ann\n",
      stderr: "",
    });
    expect((await publish("--now", "shape", "--json")).stdout).toBe(`{"a":[1,"x"]}\n`);
    expect((await publish("--now", "whoAmI")).stdout).toBe("1\n");
    expect((await publish("--now", "say", "x")).stdout).toBe("");
    expect(project.lines()).toEqual(['["x"]']);
    expect(existsSync(join(project.folder, "memq-data"))).toBe(false);
  });

  test("a handler that throws exits with 1, one that is not there with 78", async () => {
    const thrown = await publish("--now", "fail", "no way");
    expect([thrown.code, thrown.stdout]).toEqual([1, ""]);
    expect(thrown.stderr).toContain("fail failed: RangeError: no way");
    const unknown = await publish("--now", "gret");
    expect(unknown.code).toBe(78);
    expect(unknown.stderr).toContain(`did you mean "greet"?`);
  });
});

describe("bulks", () => {
  test("--count publishes the same task N times and prints an id each", async () => {
    const { code, stdout, stderr } = await publish("say", "x", "-n", "3");
    expect([code, stderr]).toEqual([0, ""]);
    expect(new Set(stdout.trim().split("\n")).size).toBe(3);
    expect(await handled()).toEqual([["x"], ["x"], ["x"]]);
  });

  test("--count with --json prints counts; over 1,000 the ids give way to a line on stderr", async () => {
    expect((await publish("say", "x", "-n", "3", "--json")).stdout).toBe(
      `{"kept":3,"duplicate":0,"refused":0}\n`,
    );
    const { stdout, stderr } = await publish("say", "x", "-n", "1001");
    expect([stdout, stderr]).toEqual(["", "1001 kept, 0 duplicate, 0 refused\n"]);
    expect((await publish("say", "x", "-n", "1000")).stdout.split("\n")).toHaveLength(1_001);
  });

  test("--from takes a line for an argument, empty lines and carriage returns as people mean them", async () => {
    writeFileSync(join(project.folder, "users.txt"), "\ufeffAnn\r\n你好\n\n -x 'y' \nlast");
    const { code, stdout } = await publish("say", "--from", "users.txt");
    expect(code).toBe(0);
    expect(stdout.trim().split("\n")).toHaveLength(5);
    expect(await handled()).toEqual([["Ann"], ["你好"], [""], [" -x 'y' "], ["last"]]);
  });

  test("--from - reads standard input", async () => {
    await publishInput("a\nb\n", "say", "--from", "-");
    expect(await handled()).toEqual([["a"], ["b"]]);
  });

  test("an empty bulk publishes nothing", async () => {
    expect(await publishInput("", "say", "--from", "-")).toMatchObject({ code: 0, stdout: "", stderr: "" });
  });

  test("ndjson lines are calls of their own; bad ones are refused by line, the others kept", async () => {
    const lines = [
      `["say", 1, "x"]`,
      `{"method":"say","args":[2],"class":"Other"}`,
      ``,
      `["say"`,
      `{"method":"say","queue":"push"}`,
      `{"method":"say","args":[3],"delay":"1h","key":"k"}`,
      `{"method":"say","args":[4],"key":"k"}`,
      `[]`,
      `{"method":"constructor"}`,
      `{"method":"say","delay":"soon"}`,
      `"say"`,
    ];
    const { code, stdout, stderr } = await publishInput(
      lines.join("\n"),
      "--from",
      "-",
      "--format",
      "ndjson",
      "--json",
    );
    expect(code).toBe(65);
    expect(JSON.parse(stdout)).toEqual({ kept: 3, duplicate: 1, refused: 6 });
    const numbers = [...stderr.matchAll(/^line (\d+): /gm)].map(([, number]) => Number(number));
    expect(numbers).toEqual([4, 5, 8, 9, 10, 11]);
    expect(stderr).toContain(`unknown field "queue"`);
    expect(await handled()).toEqual([
      [1, "x"],
      ["other", 2],
    ]);
  });

  test("a line that is not UTF-8 is refused, the others are kept", async () => {
    const input = Buffer.concat([Buffer.from("a\n"), Buffer.from([0xff, 0x0a]), Buffer.from("b\n")]);
    const { code, stderr } = await publishInput(input, "say", "--from", "-");
    expect(code).toBe(65);
    expect(stderr).toContain("line 2: the line is not UTF-8");
    expect(await handled()).toEqual([["a"], ["b"]]);
  });

  test("of many bad lines the first twenty are told, all are counted", async () => {
    const { stderr } = await publishInput("nonsense\n7\n".repeat(15), "--from", "-", "--format", "ndjson");
    expect(stderr.match(/^line \d+/gm)).toHaveLength(20);
    expect(stderr).toContain("… 10 more lines were refused\n0 kept, 0 duplicate, 30 refused\n");
  });

  test("--dry-run of a bulk shows how its lines are read", async () => {
    const { code, stdout, stderr } = await publishInput("a\nb\n", "say", "--from", "-", "--dry-run");
    expect(code).toBe(0);
    expect(stdout.match(/"args":\["[ab]"\]/g)).toHaveLength(2);
    expect(stderr).toContain("Nothing was published; it would be: 2 kept");
    expect(await depth()).toMatchObject({ waiting: 0 });
  });
});

describe("refusals", () => {
  const refused: readonly (readonly [code: number, said: RegExp, line: readonly string[]])[] = [
    [64, /no method was named/, []],
    [64, /unknown option --dely, did you mean --delay\?/, ["say", "--dely", "5m"]],
    [64, /--delay needs a value: --delay 20m/, ["say", "--delay"]],
    [64, /"20 min" is not a duration \(try 60s or 5m\)/, ["say", "--delay", "20 min"]],
    [64, /"tomorrow" is not a time/, ["say", "--at", "tomorrow"]],
    [64, /--delay and --at exclude each other/, ["say", "--delay", "1m", "--at", "2099-01-01"]],
    [64, /--count "0" is not a whole number from 1 on/, ["say", "-n", "0"]],
    [64, /--count "-3"/, ["say", "-n", "-3"]],
    [64, /--retries "x"/, ["say", "--retries", "x"]],
    [64, /--timeout is longer than 0/, ["say", "--timeout", "0s"]],
    [
      64,
      /--on-duplicate "drop" is none of keep, replace, error/,
      ["say", "-k", "k", "--on-duplicate", "drop"],
    ],
    [64, /--on-duplicate goes with --key/, ["say", "--on-duplicate", "error"]],
    [64, /--format goes with --from/, ["say", "--format", "lines"]],
    [64, /--from and --count exclude/, ["say", "--from", "x", "-n", "2"]],
    [64, /--from and --stdin exclude/, ["say", "--from", "x", "--stdin"]],
    [64, /--from nope\.txt cannot be read: ENOENT/, ["say", "--from", "nope.txt"]],
    [64, /no arguments beside the method/, ["say", "x", "--from", "users.txt"]],
    [64, /no arguments beside the method/, ["say", "x", "--stdin"]],
    [64, /no arguments beside it/, ["say('x')", "y"]],
    [64, /at "x\)": only literals can be arguments/, ["say(x)"]],
    [64, /cannot be the name of a method/, ["rm -rf /"]],
    [64, /never be called/, ["constructor"]],
    [64, /never be called/, ["_secret"]],
    [64, /never be called/, ["toString"]],
    [64, /"a-b" cannot be the name of a class/, ["say", "-C", "a-b"]],
    [64, /no queue "psh"/, ["say", "-q", "psh"]],
    [65, /argument 2 is not JSON: "x"/, ["--json-args", "say", "1", "x"]],
    [65, /key has 1 to 1000 bytes/, ["say", "--key", ""]],
    [78, /there is no .*nope\.ini/, ["say", "-c", "nope.ini"]],
  ];

  test.each(refused)("%d %s", async (code, said, line) => {
    const ended = await publish(...line);
    expect([ended.code, ended.stdout]).toEqual([code, ""]);
    expect(ended.stderr).toMatch(said);
    expect(ended.stderr).toMatch(/^publish-task: .*\[[A-Z_]+\]\n {2}\S.*\n$/);
    expect(existsSync(join(project.folder, "memq-data", "store.db"))).toBe(false);
  });

  test("a task over max-size is refused with both sizes", async () => {
    configure("max-size = 1KB\n");
    const { code, stderr } = await publishInput("x".repeat(2_000), "say", "--stdin");
    expect(code).toBe(65);
    expect(stderr).toContain("[TASK_TOO_LARGE]");
  });

  test("standard input that is not UTF-8 is refused", async () => {
    const { code, stderr } = await publishInput(Buffer.from([0x61, 0xff]), "say", "--stdin");
    expect(code).toBe(65);
    expect(stderr).toContain("is not UTF-8");
  });

  test("a wrong configuration is refused with every fault", async () => {
    configure("queueprot = 1\ntimeout = 60 sec\n");
    const { code, stderr } = await publish("say", "x");
    expect(code).toBe(78);
    expect(stderr).toContain("2 problems in config.ini");
    expect(stderr).toContain(`did you mean "queueport"?`);
  });

  test.each(["[queue.push", "[queue.push] x", "[queu.push]", "[Queue.push]", "[queue. push ]"])(
    "a section line %s that hides the queue is told",
    async (line) => {
      configure(`${line}\ntimeout = 1m\n`);
      const { code, stdout, stderr } = await publish("-q", "push", "say", "x");
      expect([code, stdout]).toEqual([78, ""]);
      expect(stderr).toContain("1 problem in config.ini:\n  line 1: ");
      expect(stderr).not.toContain("has no queue");
      expect((await publish("say", "x")).code).toBe(0);
    },
  );

  test("a queue that no broken section can have hidden is misspelt", async () => {
    configure("[queue.mail]\ntimeuot = 1m\n[queue.push]\n");
    const { code, stderr } = await publish("-q", "pusj", "say", "x");
    expect(code).toBe(64);
    expect(stderr).toContain('did you mean "push"?');
  });

  test("a memcached that is not there exits with 69, and names it", async () => {
    configure("queueip = 127.0.0.1\nqueueport = 1\n");
    const { code, stdout, stderr } = await publish("say", "x");
    expect([code, stdout]).toEqual([69, ""]);
    expect(stderr).toContain("127.0.0.1:1");
  });

  test.skipIf(!existsSync("/dev/full"))("an output that cannot be written is no success", async () => {
    const options = { cwd: project.folder, redirect: "> /dev/full" };
    const { code, stderr } = await run("publish-task", ["say", "x"], options);
    expect(code).toBe(74);
    expect(stderr).toMatch(/^publish-task: standard output could not be written: ENOSPC.*\[OUTPUT_LOST\]\n/);
  });

  test("a reader that has seen enough is no error", async () => {
    const options = { cwd: project.folder, redirect: "| head -n 1" };
    const { code, stdout, stderr } = await run("publish-task", ["say", "x", "-n", "1000"], options);
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toMatch(/^\S+\n$/);
    expect(await depth()).toMatchObject({ waiting: 1_000 });
  });
});

test("--help and --version go to stdout", async () => {
  const help = await publish("--help");
  expect([help.code, help.stderr]).toEqual([0, ""]);
  expect(help.stdout).toMatch(/^Usage: publish-task \[options\] <method> \[args…\]\n/);
  const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
    version: string;
  };
  expect((await publish("--version")).stdout).toBe(`${version}\n`);
});
