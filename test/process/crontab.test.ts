import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { run, type Ended } from "./command.ts";
import { fakeCrontab, type FakeCrontab } from "./fake-crontab.ts";

let cron: FakeCrontab;
let folder: string;
beforeEach(async () => {
  cron = fakeCrontab();
  folder = mkdtempSync(join(tmpdir(), "memq 50% it's "));
  expect((await run("memq", ["init"], { cwd: folder })).code).toBe(0);
});
afterEach(() => {
  cron.remove();
  rmSync(folder, { recursive: true });
});

const crontab = (...words: string[]): Promise<Ended> =>
  run("memq", ["crontab", ...words], { cwd: folder, env: { PATH: cron.path, LOGNAME: "me" } });

const lines = (): string[] => (cron.read() ?? "").split("\n").slice(0, -1);
const lineOf = (text: string): string => text.split("\n").find((line) => /^[*@0-9]/.test(line)) ?? "";
const config = (text: string): void => {
  writeFileSync(join(folder, "config.ini"), text);
};

describe("print", () => {
  test("shows lines that a shell and cron read as they were meant", async () => {
    const { code, stdout } = await crontab("print", "--log", "run.log");
    expect(code).toBe(0);
    expect((await run("publish-task", ["saveToLocal", "hello"], { cwd: folder })).code).toBe(0);
    expect((await run("publish-task", ["nothing"], { cwd: folder })).code).toBe(0);
    const command = lineOf(stdout).replace("*/10 * * * * ", "").replaceAll("\\%", "%");
    const bare = { cwd: "/", env: { PATH: "/usr/bin:/bin" } };
    expect(() => execFileSync("/bin/sh", ["-c", command], bare)).toThrow(); // 1: there is a dead letter
    expect(readFileSync(join(folder, "worker.log"), "utf8")).toBe("hello\n");
    expect(readFileSync(join(folder, "run.log"), "utf8")).toContain(`has no method "nothing"`);
    expect(cron.read()).toBeUndefined();
  });

  test("takes the cadence of --every, else of config.ini, else ten minutes", async () => {
    expect(lineOf((await crontab("print")).stdout)).toMatch(/^\*\/10 \* \* \* \* cd /);
    config("every = 5m\n[queue.push]\nevery = @hourly\n");
    expect(lineOf((await crontab("print")).stdout)).toMatch(/^\*\/5 \* \* \* \* cd /);
    expect(lineOf((await crontab("print", "--queue", "push")).stdout)).toMatch(/^@hourly cd .* push$/);
    expect(lineOf((await crontab("print", "--every", "2h")).stdout)).toMatch(/^0 \*\/2 \* \* \* cd /);
  });

  test("--systemd prints a service and a timer, --cron-d a file", async () => {
    const units = await crontab("print", "--systemd", "--user", "deploy");
    expect(units.stdout).toContain("\nUser=deploy\n");
    expect(units.stdout).toContain("\nOnCalendar=*-*-* *:00,10,20,30,40,50:00\n");
    const file = await crontab("print", "--cron-d", "--user", "deploy", "--mailto", "");
    expect(file.stdout).toMatch(/\nMAILTO=""\n\*\/10 \* \* \* \* deploy cd /);
    expect(file.stderr).toMatch(/tee \/etc\/cron\.d\/memq[\w-]*$/m);
  });

  test("--json tells programs the same", async () => {
    expect(JSON.parse((await crontab("print", "--json")).stdout)).toMatchObject({
      cron: "*/10 * * * *",
      words: "every 10 minutes",
    });
  });
});

describe("install", () => {
  const mine = `MAILTO=me\r\n# 50% ${Buffer.from("店").toString("latin1")} \xff\r\n0 1 * * * backup`;

  test("adds its lines and keeps every other byte; remove brings the table back", async () => {
    cron.write(mine);
    const installed = await crontab("install");
    expect(installed.code).toBe(0);
    expect(installed.stderr).toContain("every 10 minutes; next: t");
    expect(cron.read()?.startsWith(`${mine}\n# BEGIN memq "`)).toBe(true);
    expect(installed.stdout).toBe(`${lineOf(lines().slice(3).join("\n"))}\n`);
    expect((await crontab("remove")).code).toBe(0);
    expect(cron.read()).toBe(`${mine}\n`);
  });

  test("twice leaves one block, the later one; a third time changes nothing", async () => {
    await crontab("install");
    await crontab("install", "--every", "5m");
    const table = cron.read();
    expect(lines().filter((line) => line.includes(" cd "))).toHaveLength(1);
    expect((await crontab("install", "--every", "5m")).stderr).toContain(
      "Your crontab has these lines already",
    );
    expect(cron.read()).toBe(table);
    expect(cron.writes()).toBe(2);
  });

  test("several projects and several queues live side by side", async () => {
    config("[queue.push]\n");
    await crontab("install");
    await crontab("install", "--queue", "push", "--every", "1m");
    const other = join(folder, "blog.ini");
    writeFileSync(other, "");
    await crontab("install", "--config", other);
    expect(lines().filter((line) => line.startsWith("# BEGIN memq "))).toHaveLength(3);
    expect((await crontab("remove", "--queue", "push")).stderr).toContain("1 block removed");
    expect((await crontab("remove")).stderr).toContain("1 block removed");
    expect(lines().filter((line) => line.startsWith("# BEGIN"))).toEqual([
      `# BEGIN memq ${JSON.stringify(other)}`,
    ]);
  });

  test("keeps the table before in the store's folder, for its owner only", async () => {
    cron.write("# secret\n");
    await crontab("install");
    const kept = join(folder, "memq-data", "crontabs");
    const [name = ""] = readdirSync(kept);
    expect(readFileSync(join(kept, name), "utf8")).toBe("# secret\n");
    expect(statSync(join(kept, name)).mode & 0o077).toBe(0);
  });

  test("refuses when the table cannot be read, and does not take that for an empty one", async () => {
    cron.behave(
      `[ "$1" = -l ] && { echo "cannot open: Permission denied" >&2; exit 1; }; touch "$here/written"`,
    );
    const { code, stderr } = await crontab("install");
    expect(code).toBe(78);
    expect(stderr).toContain(
      "crontab -l failed (1) and said: cannot open: Permission denied [CRONTAB_UNUSABLE]",
    );
    cron.behave(`exit 1`);
    expect((await crontab("install")).stderr).toContain("and said nothing");
  });

  test("says when cron refuses the table, or has another than was written", async () => {
    cron.behave(`[ "$1" = -l ] && { echo "no crontab for me" >&2; exit 1; }; echo "bad minute" >&2; exit 1`);
    expect((await crontab("install")).stderr).toContain("crontab - failed (1) and said: bad minute");
    cron.behave(`[ "$1" = -l ] && echo "# mine" || cat > /dev/null`);
    const { code, stderr } = await crontab("install");
    expect(code).toBe(78);
    expect(stderr).toMatch(/is not what was written to it: .* the table before is in \//);
  });

  test("refuses a block that is broken, with its line, and changes nothing", async () => {
    await crontab("install");
    const table = (cron.read() ?? "").replace(/# END .*\n/, "0 1 * * * mine\n");
    cron.write(table);
    for (const verb of ["install", "remove", "show"]) {
      const { code, stderr } = await crontab(verb);
      expect(code).toBe(78);
      expect(stderr).toContain("line 1 of the crontab begins a block that does not end");
    }
    expect(cron.read()).toBe(table);
  });

  test("a wrong configuration is not installed", async () => {
    config("queueprot = 1\n");
    expect(await crontab("install")).toMatchObject({ code: 78 });
    expect(cron.read()).toBeUndefined();
  });

  test("a log that could not be written, or that is none, is refused", async () => {
    for (const log of ["no/such/folder.log", ".", ""]) {
      const { code, stderr } = await crontab("install", "--log", log);
      expect(code).toBe(64);
      expect(stderr).toContain("--log ");
    }
  });
});

describe("remove", () => {
  test("works when the configuration is gone", async () => {
    await crontab("install");
    rmSync(join(folder, "config.ini"));
    expect(await crontab("remove")).toMatchObject({ code: 0 });
    expect(cron.read()).toBe("");
  });

  test("of nothing is no fault, and writes nothing", async () => {
    cron.write("# mine\n");
    const { code, stderr } = await crontab("remove");
    expect([code, stderr]).toEqual([0, expect.stringContaining("Your crontab has no lines for ")]);
    expect(cron.writes()).toBe(0);
  });
});

describe("show", () => {
  test("prints the line that is installed, and when cron starts it", async () => {
    await crontab("install", "--every", "0 7 * * mon-fri", "--mailto", "ops@example.com");
    cron.write((cron.read() ?? "").replace("0 7 ", "0 8 "));
    const { code, stdout, stderr } = await crontab("show");
    expect(code).toBe(0);
    expect(stdout).toMatch(/^0 8 \* \* mon-fri cd [^\n]*\n$/);
    expect(stderr).toContain("at 08:00 on Monday to Friday; next: ");
    const told = JSON.parse((await crontab("show", "--json")).stdout) as { lines: { next: string[] }[] };
    expect(told.lines[0]?.next).toHaveLength(3);
  });

  test("says when there is none", async () => {
    expect(await crontab("show")).toMatchObject({ code: 0, stdout: "" });
  });
});

test("without a crontab command the way to get one is told, and another way", async () => {
  const empty = mkdtempSync(join(tmpdir(), "memq-nothing-"));
  const { code, stderr } = await run("memq", ["crontab", "show"], { cwd: folder, env: { PATH: empty } });
  expect(code).toBe(78);
  expect(stderr).toContain("apt install cron");
  expect(stderr).toContain("--systemd");
  rmSync(empty, { recursive: true });
});

test.each([
  [[], "say what to do: print, install, remove, show"],
  [["instal"], `there is no "instal", did you mean "install"?`],
  [["show", "me"], `"me" is one word too many`],
  [["install", "--systemd"], "install does not take --systemd, which only prints"],
  [["remove", "--every", "5m"], "remove does not take --every"],
  [["print", "--systemd", "--cron-d"], "one of them at a time"],
  [["print", "--systemd", "--mailto", "a@b"], "--mailto: systemd mails nobody"],
  [["print", "--user", "deploy"], "--user: a user's own crontab names no user"],
  [["print", "--cron-d", "--user", "a b"], `"a b" is not the name of a user`],
  [["install", "--mailto", "a b"], `--mailto "a b" is not an address`],
  [["print", "--every", "*/70 * * * *"], `its minute is "*/70" (0 to 59;`],
  [["print", "--every", "7m"], "try 6m or 10m"],
])("a misuse is told: %j", async (words, said) => {
  const { code, stderr } = await crontab(...words);
  expect(code).toBe(64);
  expect(stderr).toContain(said);
});
