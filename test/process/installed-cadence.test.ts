import { mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { run, type Ended } from "./command.ts";
import { fakeCrontab, type FakeCrontab } from "./fake-crontab.ts";

let cron: FakeCrontab;
let folder: string;
beforeEach(async () => {
  cron = fakeCrontab();
  folder = mkdtempSync(join(tmpdir(), "memq-cadence-"));
  expect((await run("memq", ["init"], { cwd: folder })).code).toBe(0);
});
afterEach(() => {
  cron.remove();
  rmSync(folder, { recursive: true });
});

const command = (name: "memq" | "runjobs" | "publish-task", ...words: string[]): Promise<Ended> =>
  run(name, words, { cwd: folder, env: { PATH: cron.path, LOGNAME: "me" } });
const configure = (text: string): void => {
  writeFileSync(join(folder, "config.ini"), text);
};
// Whose next tick is never near the end of a test.
const RARELY = "0 0 1 1 *";

test("cover = on waits by the line that was installed, and without one says that it could not", async () => {
  configure("cover = on\n");
  await command("publish-task", "saveToLocal", "later", "--delay", "1s");
  expect(await command("runjobs")).toMatchObject({
    code: 0,
    stderr: expect.stringContaining("set every, e.g. every = 10m") as string,
  });
  expect((await command("memq", "crontab", "install", "--every", RARELY)).code).toBe(0);
  const { code, stderr } = await command("runjobs", "--summary", "text");
  expect(code).toBe(0);
  expect(stderr).toMatch(/^memq default: 1 done, .*\(drained\)\n$/);
});

test("a line of another queue tells nothing of this one's next run", async () => {
  configure("[queue.push]\n");
  await command("memq", "crontab", "install", "--queue", "push", "--every", RARELY);
  await command("publish-task", "saveToLocal", "--queue", "push", "--delay", "1s");
  expect((await command("runjobs", "push", "--cover", "--summary", "text")).stderr).toContain("1 done");
  const { code, stderr } = await command("runjobs", "--cover");
  expect(code).toBe(64);
  expect(stderr).toContain("for default");
});

test("memq status warns of late runs by the line that was installed", async () => {
  await command("memq", "crontab", "install", "--every", "10m");
  expect((await command("runjobs")).code).toBe(0);
  expect(await command("memq", "status", "--check")).toMatchObject({ code: 0, stdout: "" });
  const longAgo = Date.now() / 1_000 - 34 * 60;
  utimesSync(join(folder, "memq-data", "runs", "empty", "default"), longAgo, longAgo);
  const { code, stdout } = await command("memq", "status", "--check");
  expect([code, stdout]).toEqual([1, "default: no run for 34 min, expected every 10 min\n"]);
});
