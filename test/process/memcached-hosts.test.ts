import { readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { setTimeout as pause } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openMemcachedBroker } from "../../src/adapters/memcached/broker.ts";
import { openMemjsWire } from "../../src/adapters/memcached/memjs-wire.ts";
import type { Broker, Claim } from "../../src/ports/broker.ts";
import { plainCodec } from "../../src/task/codec.ts";
import { examineList } from "../servers/list-checker.ts";
import { noMemcached, startMemcached, type MemcachedServer } from "../servers/memcached-server.ts";
import { makeTwoHosts, noNamespaces, type TwoHosts } from "../servers/net-namespaces.ts";
import { makeProject, type Ended, type Project } from "../servers/project.ts";
import { named } from "../servers/queue-trial.ts";
import { writeFigures } from "../servers/torn-queue.ts";

// A heartbeat ends 31 s after it was renewed last, and a look at it takes a run's start.
const LEASE_MS = 30_000;
const SLACK_MS = 30_000;

const HANDLER = `
import { appendFileSync, existsSync } from "node:fs";
import { readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { setTimeout as pause } from "node:timers/promises";
export default class Worker {
  async hold(name) {
    appendFileSync("./began.log", name + "\\n");
    while (!existsSync("./go-" + name)) await pause(50);
    appendFileSync("./worker.log", name + "\\n");
  }
  quick(name) { appendFileSync("./worker.log", name + "\\n"); }
}
`;

async function until(holds: () => boolean | Promise<boolean>, withinMs = 60_000): Promise<number> {
  const beganAt = Date.now();
  while (!(await holds())) {
    if (Date.now() - beganAt > withinMs) throw new Error("waited in vain");
    await pause(50);
  }
  return Date.now() - beganAt;
}

describe.skipIf(noMemcached !== undefined)(`two hosts (${noMemcached ?? "memcached is there"})`, () => {
  let server: MemcachedServer | undefined;
  let project: Project | undefined;
  let hosts: TwoHosts | undefined;
  afterEach(async () => {
    hosts?.remove();
    await server?.stop();
    project?.remove();
    [server, project, hosts] = [undefined, undefined, undefined];
  });

  describe("that are network namespaces", () => {
    beforeEach(async (context) => {
      if (noNamespaces !== undefined) context.skip(`TWO HOSTS ARE NOT TESTED: ${noNamespaces}`);
      hosts = makeTwoHosts();
      server = await startMemcached(["-M", "-m", "64", "-l", `127.0.0.1,${hosts.here}`]);
      const at = `queueip = ${hosts.here}\nqueueport = ${String(server.port)}\n`;
      project = makeProject({ config: `${at}retry = 0s, 0s\n`, handler: HANDLER });
    });

    test(
      "what a killed consumer had on one is taken over on the other when its heartbeat ends",
      { timeout: 180_000 },
      async () => {
        const { there, elsewhere } = onHosts(project, hosts);
        for (const name of ["a", "b", "c"])
          expect((await there("publish-task", ["hold", name])).code).toBe(0);
        const victim = there.start("runjobs");
        await until(() => project?.lines("began.log").length === 1);
        victim.process.kill("SIGKILL"); // of what started it: its namespace goes, and the run with it
        await victim.ended;
        const killedAt = Date.now();
        expect(await there("publish-task", ["quick", "late"])).toMatchObject({ code: 0 });
        await touchAll(project);
        await until(
          async () => {
            await elsewhere("runjobs");
            return ["a", "b", "c", "late"].every((name) => project?.lines().includes(name));
          },
          LEASE_MS + SLACK_MS * 2,
        );
        const tookMs = Date.now() - killedAt;
        writeFigures("two hosts, a consumer killed", { "ms until the other had run everything": tookMs });
        expect(tookMs).toBeGreaterThan(LEASE_MS / 2);
        expect(tookMs).toBeLessThan(LEASE_MS + SLACK_MS);
        expect(project?.lines("began.log").filter((name) => name === "a")).toHaveLength(2);
        await isDrained(server);
      },
    );

    test(
      "a consumer that stalls is taken over, and its late finish is refused",
      { timeout: 180_000 },
      async () => {
        const { there, elsewhere } = onHosts(project, hosts);
        expect((await there("publish-task", ["hold", "a"])).code).toBe(0);
        const stalled = there.start("runjobs");
        await until(() => project?.lines("began.log").length === 1);
        const pid = runOf(stalled.process.pid);
        process.kill(pid, "SIGSTOP");
        let taken: Ended | undefined;
        try {
          await touchAll(project);
          await until(
            async () => {
              taken = await elsewhere("runjobs");
              return project?.lines().includes("a") === true;
            },
            LEASE_MS + SLACK_MS * 2,
          );
        } finally {
          process.kill(pid, "SIGCONT");
        }
        expect(taken?.code, taken?.stderr).toBe(0);
        const late = await stalled.ended;
        expect(late.code, late.stderr).toBe(74);
        expect(late.stderr).toContain("lost its lease");
        expect(project?.lines()).toEqual(["a", "a"]);
        await isDrained(server);
      },
    );
  });

  describe("that see nothing of each other's processes", () => {
    const FOREIGN_LEASE_MS = 3_000;
    const brokers: Broker[] = [];
    afterEach(() => {
      brokers.length = 0;
    });

    const onHost = (host: string): Broker => {
      if (server === undefined) throw new Error("there is no server");
      const broker = openMemcachedBroker({
        wire: openMemjsWire({ server }),
        queue: "default",
        codec: plainCodec(10_000),
        memory: project?.folder ?? "",
        leaseMs: FOREIGN_LEASE_MS,
        holder: { host, realm: host, pid: 1, startedAt: "1" },
      });
      brokers.push(broker);
      return broker;
    };
    const take = async (broker: Broker): Promise<Claim | undefined> =>
      (await broker.claim({ limit: 1, atOnce: 1 })).claims[0];

    beforeEach(async () => {
      server = await startMemcached(["-M", "-m", "64"]);
      project = makeProject({ config: "", handler: HANDLER });
    });

    test(
      "what one had is taken over when its heartbeat ends, not before, and its late finish is refused",
      { timeout: 60_000 },
      async () => {
        const [here, there] = [onHost("here"), onHost("there")];
        await here.publish([named("a"), named("b")]);
        const stalled = await take(here);
        if (stalled === undefined) throw new Error("nothing was claimed");
        expect(await here.start(stalled, { last: true })).toBe("started");
        expect((await take(there))?.task.args).toEqual(["b"]);
        const other = onHost("elsewhere");
        const firstLook = Date.now();
        expect(await take(other)).toBeUndefined();
        let taken: Claim | undefined;
        await until(async () => (taken = await take(other)) !== undefined);
        expect(Date.now() - firstLook).toBeGreaterThan(FOREIGN_LEASE_MS / 2);
        if (taken === undefined) throw new Error("nothing was taken over");
        expect(taken.task.args).toEqual(["a"]);
        expect(taken).toMatchObject({ attempt: 2, alone: true });
        expect(await other.start(taken, { last: true })).toBe("started");
        expect(await here.settle([{ claim: stalled, outcome: { kind: "done" } }])).toEqual(["lost"]);
        expect(await other.settle([{ claim: taken, outcome: { kind: "done" } }])).toEqual(["settled"]);
        for (const broker of brokers) await broker.close();
      },
    );
  });
});

interface Host {
  (command: "publish-task" | "runjobs" | "memq", args?: readonly string[]): Promise<Ended>;
  start: (command: "runjobs") => ReturnType<Project["start"]>;
}

function onHosts(
  project: Project | undefined,
  hosts: TwoHosts | undefined,
): { there: Host; elsewhere: Host } {
  if (project === undefined || hosts === undefined) throw new Error("there are no two hosts");
  const on = (words: readonly string[]): Host =>
    Object.assign(
      (command: "publish-task" | "runjobs" | "memq", args: readonly string[] = []) =>
        project.startOn(words, command, args).ended,
      { start: (command: "runjobs") => project.startOn(words, command) },
    );
  return { there: on(hosts.on[0]), elsewhere: on(hosts.on[1]) };
}

/** Lets every task that holds go on. */
async function touchAll(project: Project | undefined): Promise<void> {
  for (const name of ["a", "b", "c"]) await writeFile(`${project?.folder ?? ""}/go-${name}`, "");
}

/** The node process that commands were started for. */
function runOf(pid: number | undefined): number {
  const children = (of: number): readonly number[] =>
    readFileSync(`/proc/${String(of)}/task/${String(of)}/children`, "utf8")
      .split(" ")
      .filter(Boolean)
      .map(Number);
  let last = pid ?? 0;
  for (let next = children(last); next.length > 0; next = children(last)) last = next[0] ?? 0;
  return last;
}

async function isDrained(server: MemcachedServer | undefined): Promise<void> {
  if (server === undefined) throw new Error("there is no server");
  const checked = await examineList(server, "default");
  expect(checked).toMatchObject({
    faults: [],
    orphans: [],
    unrecorded: [],
    vanished: 0,
    ready: [],
    dead: [],
  });
}
