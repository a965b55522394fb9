import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { main } from "../../src/cli/memq.ts";
import { makeFolder, type Folder, type Said } from "../unit/cli/fake-io.ts";
import { fakeCrontab, type FakeCrontab } from "./fake-crontab.ts";

let cron: FakeCrontab;
let folder: Folder;
beforeEach(() => {
  cron = fakeCrontab();
  folder = makeFolder("");
});
afterEach(async () => {
  cron.remove();
  await folder.remove();
});

const env = (): NodeJS.ProcessEnv => ({ PATH: cron.path });
const doctor = (...words: string[]): Promise<Said> =>
  folder.say(main, ["doctor", "--as-cron", ...words], { env: env() });
const install = (...words: string[]): Promise<Said> =>
  folder.say(main, ["crontab", "install", ...words], { env: env() });

test("all that a run needs is tried, and the line that works is shown", async () => {
  const { code, out, err } = await doctor();
  expect(code).toBe(0);
  expect(out).toMatch(/^ +warn +crontab +your crontab has no line of it yet$/m);
  expect(out).toMatch(/^ +ok +line +starts runjobs \d+\.\d+\.\d+$/m);
  expect(out).toMatch(/^ +ok +config +\/.*\/config\.ini$/m);
  expect(out).toMatch(/^ +ok +queue +handlers load, and what keeps its tasks answers$/m);
  expect(out).toMatch(/\n\*\/10 \* \* \* \* cd \S+ && \S+ \S+\/scripts\/runjobs\n$/);
  expect(err).toContain("The line for your crontab");
});

test("the line that is installed is the one that is tried, with its log", async () => {
  const log = join(folder.path, "it's 50% full.log");
  expect((await install("--log", log)).code).toBe(0);
  const fine = (await doctor()).out;
  expect(fine).toMatch(/^ +ok +log +\S.* can be written$/m);
  expect(fine).toMatch(/ >> \S.* 2>&1\n$/); // what works is what is there
  mkdirSync(log);
  const { code, out } = await doctor();
  expect(code).toBe(78);
  expect(out).toMatch(/^ +fail +log +\S.* cannot be written$/m);
});

test("an installed line whose node is gone is found", async () => {
  await install();
  cron.write((cron.read() ?? "").replace(/&& \S+/, "&& /gone/node"));
  const { code, out } = await doctor();
  expect(code).toBe(78);
  expect(out).toMatch(/^ +fail +line +cd .*\/gone\/node: not found$/m);
  expect(out).toContain("memq crontab install writes it anew");
});

test("a variable that only this shell has is told", async () => {
  folder.write("config.ini", "classname = env:MEMQ_TEST_CLASS\n");
  process.env["MEMQ_TEST_CLASS"] = "Worker"; // cron's environment must not inherit it
  try {
    const here = { env: { ...env(), MEMQ_TEST_CLASS: "Worker" } };
    const { code, out } = await folder.say(main, ["doctor", "--as-cron", "--json"], here);
    expect(code).toBe(78);
    expect(JSON.parse(out)).toMatchObject({ ok: false });
    expect(out).toContain("MEMQ_TEST_CLASS");
    expect(out).toContain("put NAME=value above the line");
  } finally {
    delete process.env["MEMQ_TEST_CLASS"];
  }
});

test("handlers that need more than cron gives are found, and so is a broker that is away", async () => {
  folder.write(
    "handlers/worker.mjs",
    `if (!process.env.TERM_PROGRAM_OF_TEST) throw new Error("no terminal");
export class Worker { a() {} }`,
  );
  process.env["TERM_PROGRAM_OF_TEST"] = "1";
  try {
    const { code, out } = await doctor();
    expect(code).toBe(78);
    expect(out).toMatch(/^ +fail +queue +.*no terminal/m);
  } finally {
    delete process.env["TERM_PROGRAM_OF_TEST"];
  }
  const { out } = await folder.say(main, ["doctor", "--as-cron"], {
    env: { ...env(), TERM_PROGRAM_OF_TEST: "1" },
  });
  expect(out).toMatch(/no terminal.*\n +fix: it is right in this shell: what is missing are variables/);
  folder.write("handlers/worker.mjs", `export class Worker { a() {} }`);
  folder.write("config.ini", "queueip = 127.0.0.1\nqueueport = 1\n");
  expect((await doctor()).code).toBe(69);
});

test("a log of the configuration that cannot be written is found", async () => {
  folder.write("config.ini", "log = nowhere/run.log\n");
  const { code, out } = await doctor();
  expect(code).toBe(78);
  expect(out).toMatch(/^ +fail +queue +log \/.*\/nowhere\/run\.log cannot be written: ENOENT/m);
  const plain = await folder.say(main, ["doctor"], { env: env() });
  expect(plain.code).toBe(78);
  expect(plain.out).toMatch(/^ +fail +log +\/.*run\.log cannot be written: ENOENT/m);
  folder.write("config.ini", "log = run.log\n");
  expect((await folder.say(main, ["doctor"], { env: env() })).out).toMatch(
    /^ +ok +log +\/.*run\.log can be/m,
  );
});

test("a line that starts a run once is told", async () => {
  await install();
  cron.write((cron.read() ?? "").replace("*/10 * * * *", "@reboot"));
  expect((await doctor()).out).toMatch(
    /^ +warn +crontab +"@reboot" in your crontab is no time that comes again/m,
  );
});

test("the table of another crontab is left alone", async () => {
  cron.write("# mine\n");
  await doctor();
  expect([cron.read(), cron.writes()]).toEqual(["# mine\n", 0]);
});

test("a crontab that cannot be read keeps nothing from being tried", async () => {
  cron.behave(`echo "you are not allowed" >&2; exit 1`);
  const { code, out } = await doctor();
  expect(code).toBe(0);
  expect(out).toMatch(/^ +warn +crontab +crontab -l failed \(1\) and said: you are not allowed$/m);
  chmodSync(folder.path, 0o700);
  writeFileSync(join(folder.path, "config.ini"), "queueprot = 1\n");
  const wrong = await doctor();
  expect(wrong.code).toBe(78);
  expect(wrong.out).toContain("fix: Correct what is named");
});
