import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { noMemcached, startMemcached, type MemcachedServer } from "../servers/memcached-server.ts";
import { makeProject, type Project } from "../servers/project.ts";

const MEMQ = pathToFileURL(join(import.meta.dirname, "../../dist/index.js")).href;
const HANDLER = `
import { appendFileSync } from "node:fs";
import { giveUp, retryLater, task } from ${JSON.stringify(MEMQ)};
const note = (line) => appendFileSync("./worker.log", line + "\\n");
export default class Worker {
  // Fails once in an ordinary way, then asks for more runs.
  moody() {
    note("moody " + task().attempt);
    if (task().attempt === 1) throw new Error("bad day");
    throw retryLater("busy", { times: 2, delay: 0 });
  }
  user() { throw giveUp("no such user"); }
  wait(delay) {
    note("wait " + delay + " " + task().attempt);
    if (task().attempt === 1) throw retryLater("later", { times: 1, delay });
  }
}
`;

let project: Project;
let server: MemcachedServer | undefined;
beforeAll(async () => {
  if (noMemcached === undefined) server = await startMemcached(["-M"]);
});
afterAll(async () => {
  await server?.stop();
});

const BROKERS = [
  { name: "the embedded store", needs: undefined, config: (): string => "retry = 0s\n" },
  {
    name: "memcached",
    needs: noMemcached,
    config: (): string => `retry = 0s\nqueueip = 127.0.0.1\nqueueport = ${String(server?.port)}\n`,
  },
];

describe.each(BROKERS)("on $name", ({ needs, config }) => {
  beforeEach(async ({ skip }) => {
    if (needs !== undefined) skip(needs);
    await server?.command("flush_all");
    project = makeProject({ config: config(), handler: HANDLER });
  });
  afterEach(() => {
    if (needs === undefined) project.remove();
  });

  /** Runs, one process after the other, until the handler has noted so many lines. */
  async function runUntil(count: number): Promise<void> {
    for (let runs = 0; runs < 60 && project.lines().length < count; runs++)
      await project.run("runjobs", ["--max-tasks", "1"]);
  }

  test("times are so many more runs from when it was first said, whichever process runs them", async () => {
    const { stdout: id } = await project.run("publish-task", ["moody"]);
    await runUntil(4);
    await project.run("runjobs");
    expect(project.lines()).toEqual(["moody 1", "moody 2", "moody 3", "moody 4"]);
    const shown = await project.run("memq", ["show", id.trim(), "--json"]);
    expect(JSON.parse(shown.stdout)).toMatchObject({ state: "dead", attempts: 4, error: "busy" });
  });

  test("giveUp makes a dead letter of it at once", async () => {
    const { stdout: id } = await project.run("publish-task", ["user"]);
    expect((await project.run("runjobs")).code).toBe(1);
    const shown = await project.run("memq", ["show", id.trim(), "--json"]);
    expect(JSON.parse(shown.stdout)).toMatchObject({ state: "dead", attempts: 1, error: "no such user" });
  });

  test("a wait of 300 s never holds up one of 1 s", async () => {
    for (const delay of ["300s", "1s"]) await project.run("publish-task", ["wait", delay]);
    await project.run("publish-task", ["wait", "once", "--delay", "300s"]);
    await runUntil(3);
    expect(project.lines()).toEqual(["wait 300s 1", "wait 1s 1", "wait 1s 2"]);
    const { stdout } = await project.run("memq", ["status", "--json"]);
    expect(JSON.parse(stdout)).toMatchObject({ queues: [{ waiting: 0, delayed: 2, dead: 0 }] });
  });
});
