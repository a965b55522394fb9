import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readCadence } from "../../../src/cron/cadence.ts";
import { cronDFile } from "../../../src/cron/cron-d.ts";
import { blockLines, installedLines } from "../../../src/cron/crontab-block.ts";
import { crontabLine, shellCommand, type RunPlan } from "../../../src/cron/run-plan.ts";
import { forCrontab, fromCrontab, shellWord } from "../../../src/cron/shell-word.ts";
import { blocksIn, withBlock } from "../../../src/cron/table.ts";
import { unitName } from "../../../src/cron/unit-name.ts";

const reading = readCadence("*/10 * * * *");
if ("fault" in reading) throw new Error(reading.fault);
const plan: RunPlan = {
  configFile: "/srv/shop/config.ini",
  cadence: reading.value,
  node: "/usr/bin/node",
  script: "/opt/memq/scripts/runjobs",
  user: "deploy",
};

/** What cronie and Debian's cron hand to the shell, sign by sign as their sources do it. */
function byCron(command: string): string {
  let text = "";
  let escaped = false;
  for (const sign of command) {
    if (escaped) {
      text = sign === "%" ? text.slice(0, -1) + sign : text + sign;
      escaped = false;
    } else if (sign === "%") return text;
    else {
      text += sign;
      escaped = sign === "\\";
    }
  }
  return text;
}

/** A cron that takes no backslash away: the shell does. */
const byOldCron = (command: string): string => /^(?:[^\\%]|\\.)*/su.exec(command)?.[0] ?? "";

test("a line says where everything is", () => {
  expect(crontabLine(plan)).toBe("*/10 * * * * cd /srv/shop && /usr/bin/node /opt/memq/scripts/runjobs");
  expect(
    crontabLine({ ...plan, configFile: "/srv/shop/a b.ini", queue: "push", log: "/var/log/shop.log" }),
  ).toBe(
    "*/10 * * * * cd /srv/shop && /usr/bin/node /opt/memq/scripts/runjobs --config 'a b.ini' push >> /var/log/shop.log 2>&1",
  );
});

const TRAPS = [
  "it's",
  'a "b"',
  "50%",
  "%",
  "a\\%b",
  "a\\\\%b",
  "%%'%'",
  "$HOME",
  "`id`",
  "#x",
  "a # b",
  "店 ü",
  "~",
  "*?",
  "a&b;c|d>e",
  "\\",
  "a\\",
  "-n",
  "!x",
];

test("the shell reads every word as it was meant, whichever cron hands it over", () => {
  for (const cron of [byCron, byOldCron, fromCrontab]) {
    const command = ["printf", ...["%s\\n", ...TRAPS].map(shellWord)].join(" ");
    const said = execFileSync("/bin/sh", ["-c", cron(forCrontab(command))], { encoding: "utf8" });
    expect(said.split("\n").slice(0, -1)).toEqual(TRAPS);
  }
});

test("what a crontab makes of a command is undone, whatever it is", () => {
  const sign = fc.constantFrom("%", "\\", "'", " ", "a", "$");
  fc.assert(
    fc.property(fc.array(sign, { minLength: 1, maxLength: 8 }), (signs) => {
      const command = `x ${shellWord(signs.join(""))}`;
      expect(byCron(forCrontab(command))).toBe(command);
      expect(fromCrontab(forCrontab(command))).toBe(command);
    }),
  );
});

test("a whole line works, whatever its folders are called", () => {
  const root = mkdtempSync(join(tmpdir(), "memq-cron-"));
  for (const trap of TRAPS.filter((word) => word !== "-n")) {
    const folder = join(root, trap, `in ${trap}`);
    mkdirSync(folder, { recursive: true });
    const node = join(folder, "node");
    writeFileSync(node, `#!/bin/sh\npwd -P\nprintf '%s\\n' "$@"\n`, { mode: 0o755 });
    const odd: RunPlan = {
      ...plan,
      configFile: join(folder, `${trap}.ini`),
      node,
      script: `/s/${trap}`,
      log: join(folder, `${trap}.log`),
    };
    const command = crontabLine(odd).replace("*/10 * * * * ", "");
    execFileSync("/bin/sh", ["-c", byCron(command)], { cwd: "/", env: { PATH: "/usr/bin:/bin" } });
    expect(readFileSync(odd.log ?? "", "utf8")).toBe(`${folder}\n${odd.script}\n--config\n${trap}.ini\n`);
  }
  rmSync(root, { recursive: true });
});

test("a path with a line break, and a command that cron would cut, are refused", () => {
  expect(() => crontabLine({ ...plan, configFile: "/srv/a\nb/config.ini" })).toThrow(
    /"\/srv\/a\\nb\/config.ini" has a/,
  );
  expect(() => crontabLine({ ...plan, script: `/${"x".repeat(990)}` })).toThrow("cron takes 998");
});

describe("a block", () => {
  test("has the time in words, and the line", () => {
    expect(blockLines(plan, "")).toEqual([expect.stringMatching(/^# every 10 minutes; /), crontabLine(plan)]);
  });

  test("takes its MAILTO back for the lines below", () => {
    const lines = (before: string): string[] =>
      blockLines({ ...plan, mailTo: "ops@example.com" }, before).filter((line) => !line.startsWith("#"));
    expect(lines("")).toEqual(["MAILTO=ops@example.com", crontabLine(plan), "MAILTO=deploy"]);
    expect(lines("MAILTO=me\n")).toEqual(["MAILTO=ops@example.com", crontabLine(plan), "MAILTO=me"]);
    expect(blockLines({ ...plan, mailTo: "" }, "")).toContain(`MAILTO=""`);
  });

  test("is understood again, also when somebody has changed the time", () => {
    const mark = { configFile: plan.configFile };
    const table = withBlock("", mark, (before) => blockLines({ ...plan, mailTo: "a@b" }, before));
    const [block] = blocksIn(table.replace("*/10 * * * * cd", "  @hourly\tcd"), () => true);
    expect(block && installedLines(block)).toEqual([
      { line: `  @hourly\t${shellCommand(plan)}`, cron: "@hourly", command: shellCommand(plan) },
    ]);
  });
});

test("a file for /etc/cron.d names the user, and who gets the mail", () => {
  expect(cronDFile(plan).split("\n")).toEqual([
    `# memq "/srv/shop/config.ini": every 10 minutes.`,
    "# Place: /etc/cron.d/memq-shop (no dot in the name, owner root, mode 0644).",
    "SHELL=/bin/sh",
    "MAILTO=deploy",
    "*/10 * * * * deploy cd /srv/shop && /usr/bin/node /opt/memq/scripts/runjobs",
    "",
  ]);
  expect(cronDFile({ ...plan, mailTo: "" })).toContain(`\nMAILTO=""\n`);
});

test.each([
  ["/srv/shop/config.ini", undefined, "memq-shop"],
  ["/srv/shop.example.com/push.ini", undefined, "memq-shop-example-com-push"],
  ["/srv/shop/config.ini", "eu.push", "memq-shop-eu-push"],
  ["/srv/店/config.ini", undefined, "memq"],
])("files of the system are named after the project: %s %s %s", (configFile, queue, name) => {
  expect(unitName({ configFile, ...(queue !== undefined && { queue }) })).toBe(name);
});

test("README.md shows the line that is printed", () => {
  const readme = readFileSync(join(import.meta.dirname, "../../../README.md"), "utf8");
  const [, block] = /```crontab\n([^`]*)```/.exec(readme) ?? [];
  const shown = crontabLine({
    ...plan,
    configFile: "/path/to/project/config.ini",
    script: "/path/to/runjobs",
  });
  expect(block?.split("\n").filter((line) => line !== "" && !line.startsWith("#"))).toEqual([shown]);
});
