import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { installedEvery } from "../../../src/cli/installed-every.ts";
import { markLine, type Mark } from "../../../src/cron/mark.ts";

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

const block = (mark: Mark, line: string): string =>
  [markLine({ edge: "BEGIN", ...mark }), line, markLine({ edge: "END", ...mark }), ""].join("\n");
const configFile = CONFIG;

test("the times of the lines that were installed for this configuration and drain the queue", async () => {
  const table =
    "MAILTO=me\n0 5 * * * backup\n" +
    block({ configFile: "/srv/other/config.ini" }, "0 * * * * cd /srv/other && node runjobs") +
    block({ configFile }, "*/5 * * * * cd /srv/shop && node runjobs") +
    block({ configFile, queue: "push" }, "* * * * * cd /srv/shop && node runjobs push");
  const every = await installedEvery(fakeCrontab(table), CONFIG);
  expect(every("mail")).toEqual(["*/5 * * * *"]);
  expect(every("push")).toEqual(["*/5 * * * *", "* * * * *"]);
});

test("a line that starts a run once, or not at all, says nothing of the next", async () => {
  for (const time of ["@reboot", "61 * * * *"]) {
    const table = block({ configFile }, `${time} cd /srv/shop && node runjobs`);
    expect((await installedEvery(fakeCrontab(table), CONFIG))("mail")).toEqual([]);
  }
});

test("none when there is no line, or the table cannot be read", async () => {
  const places = [
    fakeCrontab("0 5 * * * backup\n"),
    fakeCrontab("crontabs are forbidden\n", 1),
    { PATH: "" },
  ] as const;
  for (const env of places) expect((await installedEvery(env, CONFIG))("mail")).toEqual([]);
});
