import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { setTimeout as pause } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { noMemcached, startMemcached, type MemcachedServer } from "../servers/memcached-server.ts";
import { makeProject, type Project } from "../servers/project.ts";

const MEMQ = pathToFileURL(join(import.meta.dirname, "../../dist/index.js")).href;
const HANDLER = `
import { openSync, writeSync } from "node:fs";
import { task } from ${JSON.stringify(MEMQ)};
const log = openSync("./worker.log", "a");
export default class Worker {
  push(line) { writeSync(log, line + "\\n"); }
  after(word) { writeSync(log, "then " + word + " " + task().id + "\\n"); }
}
`;
const COUNT = 3_000;

let project: Project;
let server: MemcachedServer | undefined;
beforeAll(async () => {
  if (noMemcached === undefined) server = await startMemcached(["-M"]);
});
afterAll(async () => {
  await server?.stop();
});

const BROKERS = [
  { name: "the embedded store", needs: undefined, isOnce: true, config: (): string => "" },
  {
    name: "memcached",
    needs: noMemcached,
    isOnce: false,
    config: (): string => `queueip = 127.0.0.1\nqueueport = ${String(server?.port)}\n`,
  },
];

describe.each(BROKERS)("what follows a bulk on $name", ({ needs, isOnce, config }) => {
  beforeEach(async ({ skip }) => {
    if (needs !== undefined) skip(needs);
    await server?.command("flush_all");
    project = makeProject({ config: config(), handler: HANDLER });
    const users = Array.from({ length: COUNT }, (_, index) => `user-${String(index)}\n`);
    writeFileSync(join(project.folder, "users.txt"), users.join(""));
  });
  afterEach(() => {
    if (needs === undefined) project.remove();
  });

  const PUBLISH = ["push", "--from", "users.txt", "--bulk", "spring", "--then", "after('spring')"];
  /** Tasks that followed; a kill may repeat the run of one, not the task. */
  const thens = (): number => new Set(project.lines().filter((line) => line.startsWith("then spring"))).size;

  test("comes with the run that settled the last of it", async () => {
    expect((await project.run("publish-task", PUBLISH)).code).toBe(0);
    expect((await project.run("runjobs")).code).toBe(0);
    expect(project.lines()).toHaveLength(COUNT + 1);
    expect(project.lines().at(-1)).toMatch(/^then spring/);
    expect((await project.run("publish-task", PUBLISH)).code).toBe(0);
    await project.run("runjobs");
    expect(thens()).toBe(1);
  });

  test("comes whatever is killed, publishers and runs", { timeout: 180_000 }, async () => {
    const killed = { publishers: 0, runs: 0 };
    // From before they have begun to after a fast machine has ended them.
    for (let round = 0; round < 8; round++) {
      const publisher = project.start("publish-task", PUBLISH);
      const run = project.start("runjobs");
      await pause(20 + round * 60);
      run.process.kill("SIGKILL");
      publisher.process.kill("SIGKILL");
      if ((await publisher.ended).signal === "SIGKILL") killed.publishers++;
      if ((await run.ended).signal === "SIGKILL") killed.runs++;
    }
    expect(killed.publishers + killed.runs).toBeGreaterThan(0);
    expect((await project.run("publish-task", PUBLISH)).code).toBe(0);
    for (let round = 0; round < 4; round++) {
      const run = project.start("runjobs");
      await pause(200 + round * 100);
      run.process.kill("SIGKILL");
      await run.ended;
    }
    for (let runs = 0; runs < 40 && thens() === 0; runs++) await project.run("runjobs");
    await project.run("runjobs");
    expect(new Set(project.lines()).size).toBe(COUNT + thens());
    expect(thens()).toBeGreaterThanOrEqual(1);
    if (isOnce) expect(thens()).toBe(1);
    const { stdout } = await project.run("memq", ["status", "--json"]);
    expect(JSON.parse(stdout)).toMatchObject({ queues: [{ waiting: 0, running: 0, dead: 0 }] });
  });
});

test("--then goes with --bulk, and is a call", async () => {
  project = makeProject({ config: "", handler: HANDLER });
  writeFileSync(join(project.folder, "users.txt"), "a\n");
  const alone = await project.run("publish-task", ["push", "--from", "users.txt", "--then", "after"]);
  expect([alone.code, alone.stderr]).toEqual([64, expect.stringContaining("--then goes with --bulk")]);
  const bad = await project.run("publish-task", [
    "push",
    "--from",
    "users.txt",
    "--bulk",
    "b",
    "--then",
    "after(",
  ]);
  expect(bad.code).toBe(64);
  project.remove();
});
