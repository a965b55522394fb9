import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { main } from "../../../../src/cli/memq.ts";
import { main as publishTask } from "../../../../src/cli/publish-task.ts";
import { main as runjobs } from "../../../../src/cli/runjobs.ts";
import { makeFolder, type Folder } from "../fake-io.ts";

let folder: Folder;
beforeEach(() => {
  folder = makeFolder(undefined);
});
afterEach(() => folder.remove());

const read = (name: string): string => readFileSync(join(folder.path, name), "utf8");

test("init writes what one needs to start, and its next steps work", async () => {
  const { code, out, err } = await folder.say(main, ["init"]);
  expect(code).toBe(0);
  expect(err).toContain("Wrote config.ini\nWrote handlers/worker.mjs\n");
  expect(err).toContain(`publish-task saveToLocal "hello"`);
  expect(out).toMatch(/^\*\/10 \* \* \* \* cd \S+ && \/\S+ \/\S+\/scripts\/runjobs\n$/);
  expect((await folder.say(main, ["check"])).code).toBe(0);
  expect((await folder.say(publishTask, ["saveToLocal", "hello"])).code).toBe(0);
  expect((await folder.say(runjobs, [])).code).toBe(0);
  expect(read("worker.log")).toBe("hello\n");
});

test("the settings that it shows as comments are the defaults, and can be taken in", async () => {
  await folder.say(main, ["init"]);
  const before = await folder.memq();
  const enabled = read("config.ini").replace(/^;(retry|timeout|concurrency|store) =/gm, "$1 =");
  folder.write("config.ini", enabled);
  expect((await folder.memq()).config).toEqual(before.config);
  expect(enabled.match(/^(?:retry|timeout|concurrency|store) =/gm)).toHaveLength(4);
});

test("init overwrites nothing", async () => {
  folder.write("config.ini", "queuename = mine\n");
  folder.write("worker.mjs", "export default class Worker { mine() {} }\n");
  const { code, err } = await folder.say(main, ["init"]);
  expect(code).toBe(0);
  expect(err).toContain("config.ini is there already and was left alone");
  expect(read("config.ini")).toBe("queuename = mine\n");
  // A second Worker would end every run.
  expect(existsSync(join(folder.path, "handlers"))).toBe(false);
});

test("a configuration without a handler gets one", async () => {
  folder.write("config.ini", "queuename = mine\n");
  expect((await folder.say(main, ["init"])).err).toContain("Wrote handlers/worker.mjs");
  expect((await folder.say(main, ["check"])).code).toBe(0);
});

test("a configuration that names other handlers, or is wrong, gets none", async () => {
  for (const config of ["classname = Push\n", "handlers = ./mine.mjs\n", "nonsense = 1\n"]) {
    folder.write("config.ini", config);
    expect((await folder.say(main, ["init"])).code).toBe(0);
    expect(existsSync(join(folder.path, "handlers"))).toBe(false);
  }
});

test("a file in the place of the folder for handlers is said", async () => {
  folder.write("handlers", "");
  const { code, err } = await folder.say(main, ["init"]);
  expect(code).toBe(0);
  expect(err).not.toContain("Wrote handlers");
  expect(err).toContain(`${folder.path}/handlers is a file: no handler was written.`);
});

test("--config says where, and the folder is made", async () => {
  const { code, out, err } = await folder.say(main, ["init", "--config", "shop/push.ini"]);
  expect(code).toBe(0);
  expect(err).toContain("Wrote shop/push.ini\nWrote shop/handlers/worker.mjs\n");
  expect(err).toContain("  cd shop\n");
  expect(out).toMatch(/ cd \S+\/shop && .*runjobs --config push\.ini$/m);
});

test("--json tells programs the same", async () => {
  const { out } = await folder.say(main, ["init", "--json"]);
  expect(JSON.parse(out)).toMatchObject({ written: ["config.ini", "handlers/worker.mjs"], kept: [] });
  const again = JSON.parse((await folder.say(main, ["init", "--json"])).out) as Record<string, unknown>;
  expect(again).toMatchObject({ written: [], kept: ["config.ini"] });
});

test("a place that cannot be written to is named", async () => {
  folder.write("file", "");
  const { code, err } = await folder.say(main, ["init", "--config", "file/config.ini"]);
  expect(code).toBe(78);
  expect(err).toContain(`${folder.path}/file/config.ini cannot be written`);
  expect(err).toContain("[CONFIG_UNWRITABLE]");
  expect(err).not.toContain("Run memq init");
});

test("arguments are refused", async () => {
  expect((await folder.say(main, ["init", "shop"])).code).toBe(64);
});
