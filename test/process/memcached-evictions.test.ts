import { once } from "node:events";
import { connect } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { noMemcached, startMemcached, type MemcachedServer } from "../servers/memcached-server.ts";
import { makeProject, type Project } from "../servers/project.ts";

const HANDLER = `
import { appendFileSync } from "node:fs";
export default class Worker {
  hit(n) {
    appendFileSync("./worker.log", n + "\\n");
  }
}
`;

const TASKS = 300;
const LINES = Array.from({ length: TASKS }, (_, n) => String(n)).join("\n");

describe.skipIf(noMemcached !== undefined)(
  `delayed tasks on a server that evicts (${noMemcached ?? "memcached is there"})`,
  { timeout: 120_000 },
  () => {
    let server: MemcachedServer;
    let project: Project;
    beforeEach(async () => {
      server = await startMemcached(["-m", "8"]);
      const config = `queueip = ${server.host}\nqueueport = ${String(server.port)}\nbundle = 1\n`;
      project = makeProject({ config, handler: HANDLER });
    });
    afterEach(async () => {
      project.remove();
      await server.stop();
    });

    const publish = async (delay: string): Promise<void> => {
      const { code, stderr } = await project.run(
        "publish-task",
        ["hit", "--delay", delay, "--from", "-"],
        LINES,
      );
      expect(code, stderr).toBe(0);
    };

    const buckets = async (): Promise<readonly string[]> =>
      (await server.command("lru_crawler metadump all")).flatMap(
        (line) => /^key=(mq%3Adefault%3A\w+%3Ad\S+)/.exec(line)?.[1] ?? [],
      );

    test("whose bucket is deleted are told before they fall due, by status and by one run", async () => {
      await publish("2h");
      expect((await project.run("runjobs")).code).toBe(0);
      for (const key of await buckets()) await server.command(`delete ${decodeURIComponent(key)}`);
      const told = `at least ${String(TASKS)} tasks were lost (eviction)`;
      const status = await project.run("memq", ["status"]);
      expect(status.stdout).toContain(told);
      const run = await project.run("runjobs");
      expect(run.code).toBe(74);
      expect(run.stderr + run.stdout).toContain(told);
      const next = await project.run("runjobs");
      expect(next.code, next.stderr).toBe(0);
      expect((await project.run("memq", ["status"])).stdout).toContain(told); // for a week
    });

    test("whose bucket it has evicted are told, and not more of them than there were", async () => {
      await publish("2s");
      await publish("2h");
      const before = await buckets();
      const fillers = await fill(server, async () => (await buckets()).length < before.length);
      const run = await project.run("runjobs", ["--max-time", "20s"]);
      expect(run.code, `${String(fillers)} values did it: ${run.stderr}`).toBe(74);
      const told = Number(/at least (\d+) tasks were lost \(eviction\)/.exec(run.stderr + run.stdout)?.[1]);
      expect(told).toBeGreaterThan(0);
      expect(told).toBeLessThanOrEqual(2 * TASKS - project.lines().length);
    });
  },
);

/** Stores values about as long as such buckets, as another user of the server would, until it is so. */
async function fill(server: MemcachedServer, isDone: () => Promise<boolean>): Promise<number> {
  const socket = connect(server.port, server.host);
  await once(socket, "connect");
  socket.resume();
  let stored = 0;
  try {
    while (!(await isDone())) {
      if (stored > 50_000) throw new Error("no bucket was evicted");
      for (let n = 0; n < 50; n++, stored++) {
        const bytes = 4_000 + (stored % 16) * 600;
        socket.write(`set filler:${String(stored)} 0 0 ${String(bytes)} noreply\r\n${"x".repeat(bytes)}\r\n`);
      }
      await server.command("version"); // a round trip: what was written before has mostly arrived
    }
  } finally {
    socket.destroy();
  }
  return stored;
}
