import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { installedEvery } from "../../../src/cli/installed-every.ts";
import { markLine } from "../../../src/cron/mark.ts";

const CONFIG = "/srv/shop/config.ini";
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "memq-fake-cron-"));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

/** A command `crontab` of our own that shows this table. */
function fakeCrontab(table: string, code = 0): NodeJS.ProcessEnv {
  writeFileSync(join(folder, "table"), table);
  const path = join(folder, "crontab");
  writeFileSync(path, `#!/bin/sh\ncat '${folder}/table'\nexit ${String(code)}\n`);
  chmodSync(path, 0o755);
  return { PATH: `${folder}:/usr/bin:/bin` };
}

const block = (configFile: string, line: string): string =>
  [markLine({ edge: "BEGIN", configFile }), line, markLine({ edge: "END", configFile }), ""].join("\n");

test("the time of the line that was installed for this configuration", async () => {
  const table =
    "MAILTO=me\n0 5 * * * backup\n" +
    block("/srv/other/config.ini", "0 * * * * cd /srv/other && node runjobs") +
    block(CONFIG, "*/5 * * * * cd /srv/shop && node runjobs");
  expect(await installedEvery(fakeCrontab(table), CONFIG)).toBe("*/5 * * * *");
});

test("undefined when there is none, or the table cannot be read", async () => {
  expect(await installedEvery(fakeCrontab("0 5 * * * backup\n"), CONFIG)).toBeUndefined();
  expect(await installedEvery(fakeCrontab("crontabs are forbidden\n", 1), CONFIG)).toBeUndefined();
  expect(await installedEvery({ PATH: "" }, CONFIG)).toBeUndefined();
});
