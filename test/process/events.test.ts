import { setTimeout as pause } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { open } from "../../src/memq.ts";
import { noMemcached, startMemcached, type MemcachedServer } from "../servers/memcached-server.ts";
import { makeProject, tally, type Project } from "../servers/project.ts";

const HANDLER = `
import { appendFileSync } from "node:fs";
export default class Worker {
  note(params, event) { appendFileSync("./worker.log", params.round + "\\n"); }
}
`;

let project: Project;
afterEach(() => {
  project.remove();
});

/** An event of many tasks, in turn for each of the queues. */
const eventTo = (queues: readonly string[], each: number): string =>
  `[event.round]\n${queues
    .map((queue) => `task[] = note @${queue}\n`)
    .join("")
    .repeat(each)}`;

test("an emit that is killed anywhere has published all or none, over several queues of one store", async () => {
  const [queues, each] = [["default", "mail", "push"], 300] as const;
  project = makeProject({ config: `[queue.mail]\n[queue.push]\n${eventTo(queues, each)}`, handler: HANDLER });
  const startedAtMs = performance.now();
  expect((await project.run("memq", ["emit", "round", "round=whole"])).code).toBe(0);
  const wholeMs = performance.now() - startedAtMs;
  let killed = 0;
  for (let round = 0; round < 24; round++) {
    const emitting = project.start("memq", ["emit", "round", `round=${String(round)}`]);
    await pause((wholeMs * (round + 1)) / 24);
    emitting.process.kill("SIGKILL");
    if ((await emitting.ended).signal === "SIGKILL") killed++;
  }
  expect(killed).toBeGreaterThan(8);
  expect((await project.run("runjobs")).code).toBe(0);
  const counts = tally(project.lines());
  expect(counts.get("whole")).toBe(queues.length * each);
  expect(new Set(counts.values())).toEqual(new Set([queues.length * each]));
}, 120_000);

describe.skipIf(noMemcached !== undefined)("over memcached and the store", () => {
  let server: MemcachedServer;
  beforeAll(async () => {
    server = await startMemcached(["-M"]);
  });
  afterAll(async () => {
    await server.stop();
  });

  test("an emit that is killed is emitted again under its key: each task once", async () => {
    const there = `queueip = 127.0.0.1\nqueueport = ${String(server.port)}\n`;
    const config = `[queue.far]\n${there}[queue.farther]\n${there}${eventTo(["far", "default", "farther"], 100)}`;
    project = makeProject({ config, handler: HANDLER });
    const emit = ["emit", "round", "round=1", "--key", "first"];
    let kept = 0;
    const memq = await open(`${project.folder}/config.ini`);
    const depths = async (): Promise<number[]> =>
      Promise.all(
        ["far", "default", "farther"].map(
          async (queue) => (await (await memq.broker(queue)).depth()).waiting,
        ),
      );
    for (let tries = 0; tries < 20 && kept === 0; tries++) {
      const emitting = project.start("memq", emit);
      while (kept === 0 && emitting.process.exitCode === null)
        kept = (await depths()).reduce((a, b) => a + b);
      emitting.process.kill("SIGKILL");
      await emitting.ended;
    }
    expect(kept).toBeGreaterThan(0);
    expect((await project.run("memq", emit)).stdout.trim().split("\n")).toHaveLength(300);
    await memq.close();
    expect((await project.run("runjobs")).code).toBe(0);
    expect(project.lines()).toHaveLength(300);
  }, 60_000);
});

test("a delay of 300 s never holds up one of 1 s", async () => {
  const config = "[event.round]\ntask[] = note after 300s\ntask[] = note after 1s\ntask[] = note\n";
  project = makeProject({ config, handler: HANDLER });
  expect((await project.run("memq", ["emit", "round", "round=1"])).code).toBe(0);
  await project.run("runjobs");
  expect(project.lines()).toHaveLength(1);
  for (let looks = 0; looks < 100 && project.lines().length < 2; looks++) await project.run("runjobs");
  expect(project.lines()).toHaveLength(2);
  const { delayed } = await depth();
  expect(delayed).toBe(1);
});

async function depth(): Promise<{ readonly delayed: number }> {
  const { stdout } = await project.run("memq", ["status", "--json"]);
  const { queues } = JSON.parse(stdout) as { queues: { delayed: number }[] };
  return queues[0] ?? { delayed: -1 };
}
