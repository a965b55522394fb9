import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { crontabLine } from "../../../src/cli/crontab-line.ts";

test("a crontab line names folder, node and script absolutely", () => {
  expect(crontabLine("/srv/shop/config.ini", "/usr/bin/node")).toMatch(
    /^\*\/10 \* \* \* \* cd \/srv\/shop && \/usr\/bin\/node \/\S+\/scripts\/runjobs$/,
  );
});

test("another name than config.ini is handed on", () => {
  expect(crontabLine("/srv/shop/push.ini", "/usr/bin/node")).toMatch(/runjobs --config push\.ini$/);
});

test("a percent sign is escaped, because cron ends the command there", () => {
  expect(crontabLine("/srv/50%/config.ini", "/usr/bin/node")).toContain(String.raw`cd /srv/50\% &&`);
});

test("a folder with a line break cannot stand in a crontab", () => {
  expect(crontabLine("/srv/a\nb/config.ini")).toBeUndefined();
});

test("a shell reads the line as it was meant, whatever the folder is called", () => {
  const folder = join(mkdtempSync(join(tmpdir(), "memq-cron-")), `it's "a" $HOME & 50% *`);
  mkdirSync(folder);
  writeFileSync(join(folder, "node"), `#!/bin/sh\npwd -P\n`, { mode: 0o755 });
  const line = crontabLine(join(folder, "config.ini"), join(folder, "node")) ?? "";
  const command = line.replace("*/10 * * * * ", "").replaceAll("\\%", "%"); // what cron does
  expect(execFileSync("/bin/sh", ["-c", command], { encoding: "utf8" }).trim()).toBe(folder);
  rmSync(join(folder, ".."), { recursive: true });
});
