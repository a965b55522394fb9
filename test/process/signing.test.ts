import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { decodeControl } from "../../src/adapters/memcached/control-codec.ts";
import { openMemjsWire } from "../../src/adapters/memcached/memjs-wire.ts";
import { keysOf } from "../../src/adapters/memcached/names.ts";
import type { Wire } from "../../src/adapters/memcached/wire.ts";
import { noMemcached, startMemcached, type MemcachedServer } from "../servers/memcached-server.ts";
import { makeProject, type Project } from "../servers/project.ts";
import { run, type Ended } from "./command.ts";

const HANDLER = `
import { appendFileSync } from "node:fs";
export default class Worker {
  pay(who) { appendFileSync("./worker.log", who + "\\n"); }
}
`;

const SECRET = { MEMQ_TEST_SECRET: "correct horse battery staple" };

describe.skipIf(noMemcached !== undefined)(`a queue with a secret (${noMemcached ?? "all there"})`, () => {
  let server: MemcachedServer;
  let project: Project;
  let wire: Wire;
  beforeEach(async () => {
    server = await startMemcached(["-M"]);
    wire = openMemjsWire({ server });
    project = makeProject({
      config: `queueip = ${server.host}\nqueueport = ${String(server.port)}\nsecret = env:MEMQ_TEST_SECRET\n`,
      handler: HANDLER,
    });
  });
  afterEach(async () => {
    wire.close();
    project.remove();
    await server.stop();
  });

  const signed = (command: "publish-task" | "runjobs" | "memq", ...args: string[]): Promise<Ended> =>
    run(command, args, { cwd: project.folder, env: SECRET });

  /** Somebody who can write to the server, but does not know the secret, changes what is kept of a task. */
  const forge = async (id: string, change: (record: string) => string): Promise<void> => {
    const keys = keysOf("default");
    const block = decodeControl(await read(keys.control));
    if (block.kind !== "control") throw new Error("the queue has no control block");
    const key = keys.record(block.control.epoch, id);
    const value = change((await read(key)).toString());
    await wire.batch([{ kind: "delete", key }]);
    expect(await wire.batch([{ kind: "add", key, value }])).toMatchObject([{ kind: "ok" }]);
  };
  const read = async (key: string): Promise<Buffer> => {
    const [answer] = await wire.batch([{ kind: "get", key }]);
    if (answer?.kind !== "ok") throw new Error(`there is no ${key}`);
    return answer.value ?? Buffer.alloc(0);
  };

  test("runs its own tasks, and never one that was forged on the server", async () => {
    const ids: string[] = [];
    for (const who of ["ann", "bob", "eve"])
      ids.push((await signed("publish-task", "pay", who)).stdout.trim());
    const [, altered = "", unsigned = ""] = ids;
    await forge(altered, (record) => record.replace("bob", "eve"));
    await forge(unsigned, (record) => record.replace(/s1:[^:]*:/, ""));

    const checked = await signed("memq", "check");
    expect(checked).toMatchObject({ code: 78 });
    expect(checked.stderr).toContain("TASK_FORGED: its signature is of another secret, queue or task");

    const ran = await signed("runjobs");
    expect(project.lines()).toEqual(["ann"]);
    expect(ran.code).toBe(1);
    for (const id of [altered, unsigned]) expect(ran.stderr).toMatch(new RegExp(`${id}.*TASK_FORGED`));
    expect((await signed("memq", "show", unsigned)).stdout).toContain("TASK_FORGED: it has no signature");

    expect((await signed("memq", "retry", "--all", "--yes")).code).toBe(0);
    expect((await signed("runjobs")).code).toBe(1);
    expect(project.lines()).toEqual(["ann"]);
    const { stdout } = await signed("memq", "status", "--json");
    expect(JSON.parse(stdout)).toMatchObject({ queues: [{ waiting: 0, dead: 2 }] });
  });

  test("does not open without the variable", async () => {
    const { code, stderr } = await project.run("publish-task", ["pay", "ann"]);
    expect(code).toBe(78);
    expect(stderr).toContain("MEMQ_TEST_SECRET is not set in the environment");
  });
});
