import { afterEach, describe, expect, test } from "vitest";
import { addressOf } from "../servers/grounds.ts";
import { noMemcached, startMemcached, type MemcachedServer } from "../servers/memcached-server.ts";
import { makeProject, type Project } from "../servers/project.ts";

const HANDLER = "export default class Worker { note() {} }\n";
const WITHIN = { timeout: 60_000, interval: 100 };
const FOUND_OUT = /were lost \(restart\), found out (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)/;

describe.skipIf(noMemcached !== undefined)(`workers (${noMemcached ?? "memcached is there"})`, () => {
  let server: MemcachedServer;
  let project: Project;
  afterEach(async () => {
    project.remove();
    await server.stop();
  });

  test("that find out that a server was restarted say so everywhere while they go on, and end with 74", async () => {
    server = await startMemcached(["-M"]);
    project = makeProject({ config: addressOf(server), handler: HANDLER });
    const { process: parent, ended } = project.start("memq", ["work", "-p", "2"]);
    try {
      const outputOf = async (...args: string[]): Promise<string> => (await project.run("memq", args)).stdout;
      await expect.poll(() => outputOf("status"), WITHIN).toContain("has 2 workers");
      await project.run("publish-task", ["note", "--delay", "5m"]);
      await server.restart();

      // A look of status before theirs finds it too, and says so in other words.
      await expect.poll(() => outputOf("status"), WITHIN).toMatch(FOUND_OUT);
      const status = await outputOf("status");
      expect(status).toContain("has 2 workers");
      const doctor = await outputOf("doctor");
      parent.kill("SIGTERM");
      const { code, stderr } = await ended;

      const times = [status, doctor, stderr, await outputOf("status")].map(
        (text) => FOUND_OUT.exec(text)?.[1],
      );
      expect(new Set(times).size).toBe(1);
      expect(times[0]).toBeDefined();
      expect(stderr.match(/TASKS_LOST/g)).toHaveLength(1);
      expect(code).toBe(74);
    } finally {
      parent.kill("SIGKILL"); // its workers notice, and end
      await ended;
    }
  });
});
