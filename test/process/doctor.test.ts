import {
  chmodSync,
  chownSync,
  existsSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { openMemjsWire } from "../../src/adapters/memcached/memjs-wire.ts";
import type { Operation } from "../../src/adapters/memcached/wire.ts";
import { freePort, noMemcached, startMemcached, type MemcachedServer } from "../servers/memcached-server.ts";
import { startTextServer } from "../servers/fake-server.ts";
import { makeProject, type Project } from "../servers/project.ts";

const HANDLER = `
export default class Worker {
  note(what) {}
}
`;

interface Found {
  readonly about: string;
  readonly check: string;
  readonly verdict: string;
  readonly says: string;
  readonly fix?: string;
  readonly exit: number;
}

let server: MemcachedServer | undefined;
let project: Project | undefined;
afterEach(async () => {
  project?.remove();
  await server?.stop();
  [project, server] = [undefined, undefined];
});

const at = ({ host, port }: { readonly host: string; readonly port: number }): string =>
  `queueip = ${host}\nqueueport = ${String(port)}\n`;

const projectOn = (config: string, handler = HANDLER): Project =>
  (project = makeProject({ config, handler }));

/** What `memq doctor --json` found. */
async function examine(
  of: Project,
  ...args: string[]
): Promise<{ code: number | null; found: readonly Found[] }> {
  const { code, stdout, stderr } = await of.run("memq", ["doctor", "--json", ...args]);
  expect(stderr).toBe("");
  const report = JSON.parse(stdout) as {
    ok: boolean;
    exit: number;
    diagnoses: { about: string; verdicts: Omit<Found, "about">[] }[];
  };
  expect([report.ok, report.exit]).toEqual([code === 0, code]);
  return {
    code,
    found: report.diagnoses.flatMap(({ about, verdicts }) => verdicts.map((one) => ({ about, ...one }))),
  };
}

const bad = (found: readonly Found[]): string[] =>
  found.filter(({ verdict }) => verdict !== "ok").map(({ check, verdict }) => `${verdict} ${check}`);

/** Every item that the server has, by its key. */
async function keysIn({ host, port }: MemcachedServer): Promise<string[]> {
  const socket = connect(port, host);
  socket.write("lru_crawler metadump all\r\n");
  let text = "";
  for await (const data of socket as AsyncIterable<Buffer>) {
    text += data.toString("latin1");
    if (text.endsWith("END\r\n")) break;
  }
  return [...text.matchAll(/^key=(\S+)/gm)].map((match) => decodeURIComponent(match[1] ?? ""));
}

/** Items of `bytes` until the server refuses one or there are `most`; answers how many it took. */
async function fill(into: MemcachedServer, bytes: number, most = Infinity): Promise<number> {
  const wire = openMemjsWire({ server: into });
  const value = Buffer.alloc(bytes, "x");
  try {
    for (let count = 0; count < most;) {
      const batch = Array.from({ length: 500 }, (_, index): Operation => {
        return { kind: "add", key: `filler:${String(bytes)}:${String(count + index)}`, value };
      });
      const taken = (await wire.batch(batch)).filter(({ kind }) => kind === "ok").length;
      count += taken;
      if (taken < batch.length) return count;
    }
    return most;
  } finally {
    wire.close();
  }
}

const GOOD = ["-M", "-o", "slab_automove_window=3"];

describe.skipIf(noMemcached !== undefined)(`memq doctor on memcached (${noMemcached ?? "all there"})`, () => {
  test("finds nothing wrong with a server that was started as the documentation says", async () => {
    server = await startMemcached(GOOD);
    const { code, found } = await examine(projectOn(at(server)));
    expect(bad(found)).toEqual([]);
    expect(code).toBe(0);
    expect(found.map(({ check }) => check)).toEqual(
      expect.arrayContaining(["trial", "evictions-off", "loss", "clock"]),
    );
  });

  test("leaves no trace on the server, and none in the folder of the store", async () => {
    server = await startMemcached(GOOD);
    const mine = projectOn(at(server));
    expect((await mine.run("memq", ["doctor"])).code).toBe(0);
    expect(await keysIn(server)).toEqual([]);
    expect(readdirSync(mine.folder).sort()).toEqual(["config.ini", "worker.mjs"]);
  });

  test("changes nothing in a queue that is in use", async () => {
    server = await startMemcached(GOOD);
    const mine = projectOn(at(server));
    await mine.run("publish-task", ["note", "--count", "20"]);
    await mine.run("publish-task", ["note", "later", "--delay", "1h"]);
    const before = [...(await keysIn(server))].sort();
    const status = (await mine.run("memq", ["status", "--json"])).stdout;
    expect((await examine(mine)).code).toBe(0);
    expect([...(await keysIn(server))].sort()).toEqual(before);
    expect(JSON.parse((await mine.run("memq", ["status", "--json"])).stdout)).toMatchObject(
      withoutTimes(JSON.parse(status) as Status),
    );
  });

  test("warns of a stock server that evicts, with the fix beside it, and exits 0", async () => {
    server = await startMemcached([]);
    const mine = projectOn(at(server));
    const { code, found } = await examine(mine);
    expect(bad(found)).toEqual(["warn evictions-off", "warn automove"]);
    expect(found.find(({ check }) => check === "evictions-off")?.fix).toContain("-M");
    expect(code).toBe(0);
    const { stdout, stderr } = await mine.run("memq", ["doctor"]);
    expect(stdout).toMatch(/warn +evictions-off +it throws tasks away.*\n +fix: start it with -M/);
    expect(stderr).toBe("0 failures, 2 warnings.\n");
  });

  test.each([
    [["-I", "512k"], "warn item-size", 0],
    [["-C"], "fail cas", 78],
  ])("tells that it was started with %j: %s", async (args, expected, exit) => {
    server = await startMemcached([...GOOD, ...args]);
    const { code, found } = await examine(projectOn(at(server)));
    expect(bad(found)).toContain(expected);
    expect(code).toBe(exit);
  });

  test("tells of a server that speaks text only", async () => {
    server = await startMemcached(["-B", "ascii"]);
    const { code, found } = await examine(projectOn(at(server)));
    expect(code).toBe(69);
    expect(found.find(({ check }) => check === "reach")).toMatchObject({ verdict: "fail" });
    expect(found.find(({ check }) => check === "reach")?.says).toContain("-B ascii");
  });

  test("tells how full it is, and what becomes of the next task", async () => {
    server = await startMemcached([...GOOD, "-m", "8"]);
    await fill(server, 900, 6_500);
    const mine = projectOn(at(server));
    const some = await examine(mine);
    expect(bad(some.found)).toContain("warn memory");
    expect(some.code).toBe(0);
    // The sizes of the doctor's own item too.
    for (const bytes of [900, 3, 30, 60]) await fill(server, bytes);
    const full = await examine(mine);
    expect(bad(full.found)).toEqual(expect.arrayContaining(["fail memory", "fail trial", "warn refused"]));
    expect(full.found.find(({ check }) => check === "memory")?.says).toContain("publishers are refused");
    expect(full.code).toBe(75);
    expect((await keysIn(server)).filter((key) => !key.startsWith("filler:"))).toEqual([]);
  });

  test("tells what a server without -M threw away", async () => {
    server = await startMemcached(["-m", "8"]);
    await fill(server, 900, 12_000);
    const { code, found } = await examine(projectOn(at(server)));
    expect(bad(found)).toEqual(expect.arrayContaining(["fail evicted"]));
    expect([74, 75]).toContain(code);
    expect(found.find(({ check }) => check === "evicted")).toMatchObject({ exit: 74 });
  });

  test("tells of memory that is free and of no use", async () => {
    server = await startMemcached(["-m", "16", "-M", "-o", "no_slab_automove"]);
    const count = await fill(server, 100);
    const wire = openMemjsWire({ server });
    for (let from = 0; from < count; from += 500) {
      await wire.batch(
        Array.from({ length: 500 }, (_, at) => ({ kind: "delete", key: `filler:100:${String(from + at)}` })),
      );
    }
    wire.close();
    const { found } = await examine(projectOn(at(server)));
    expect(bad(found)).toContain("warn room");
    expect(bad(found)).toContain("warn automove");
    const room = found.find(({ check }) => check === "room");
    expect(room?.says).toContain("a bundle of tasks");
    expect(room?.fix).toContain("never send");
  });

  test("finds a loss before a run does, and leaves it to the run to tell it", async () => {
    server = await startMemcached(GOOD);
    const mine = projectOn(at(server));
    await mine.run("publish-task", ["note", "first"]);
    await mine.run("runjobs");
    await mine.run("publish-task", ["note", "lost"]);
    expect(bad((await examine(mine)).found)).toEqual([]);
    await server.restart();
    for (let twice = 0; twice < 2; twice++) {
      const { code, found } = await examine(mine);
      expect(code).toBe(74);
      expect(found.find(({ check }) => check === "loss")?.says).toContain("what was queued before is gone");
    }
    expect((await mine.run("runjobs")).code).toBe(74);
    expect((await examine(mine)).code).toBe(0);
  });

  test("tells of a flush", async () => {
    server = await startMemcached(GOOD);
    await server.command("flush_all");
    expect(bad((await examine(projectOn(at(server)))).found)).toEqual(["warn flushed"]);
  });

  test("tells of every queue and every server once", async () => {
    server = await startMemcached(GOOD);
    const nobody = await freePort();
    const config = `${at(server)}[queue.a]\n[queue.b]\nqueueport = ${String(nobody)}\n[queue.c]\nqueueip = none\n`;
    const { code, found } = await examine(projectOn(config));
    expect(code).toBe(69);
    const reached = found.filter(({ check }) => check === "reach");
    expect(reached.map(({ about, verdict }) => [about, verdict])).toEqual([
      [`memcached 127.0.0.1:${String(server.port)}`, "ok"],
      [`memcached 127.0.0.1:${String(nobody)}`, "fail"],
    ]);
    expect(found.filter(({ check }) => check === "handlers").map(({ about }) => about)).toEqual([
      "queue default",
      "queue a",
      "queue b",
      "queue c",
    ]);
  });
});

describe("memq doctor", () => {
  test("tells that nobody answers, and what answers in its place", async () => {
    const mine = projectOn(`queueip = 127.0.0.1\nqueueport = ${String(await freePort())}\n`);
    expect((await examine(mine)).code).toBe(69);
    const redis = await startTextServer("-ERR unknown command\r\n");
    writeFileSync(join(mine.folder, "config.ini"), at(redis));
    const { code, found } = await examine(mine);
    await redis.close();
    expect(code).toBe(69);
    expect(found.find(({ check }) => check === "reach")?.says).toContain("Redis");
  });

  test("finds nothing wrong with a fresh project, and makes nothing", async () => {
    const mine = projectOn("");
    const { code, found } = await examine(mine);
    expect([code, bad(found)]).toEqual([0, []]);
    expect(existsSync(join(mine.folder, "memq-data"))).toBe(false);
  });

  test("opens a store that is there", async () => {
    const mine = projectOn("");
    await mine.run("publish-task", ["note"]);
    const { found } = await examine(mine);
    expect(found.find(({ check }) => check === "store")).toMatchObject({ verdict: "ok" });
    writeFileSync(
      join(mine.folder, "memq-data", "store.db"),
      "this is no database, and never was one".repeat(200),
    );
    const spoilt = await examine(mine);
    expect(spoilt.code).not.toBe(0);
    expect(bad(spoilt.found)).toEqual(["fail store"]);
  });

  test("tells all faults of the configuration, and looks over what is sound", async () => {
    const mine = projectOn("[queue.a]\ntimeuot = 1\n[queue.b]\nretry = soon\n");
    const { code, found } = await examine(mine);
    expect(code).toBe(78);
    expect(found.filter(({ check }) => check === "config").map(({ says }) => says.slice(0, 7))).toEqual([
      "line 2:",
      "line 4:",
    ]);
    expect(found.filter(({ check }) => check === "handlers").map(({ about }) => about)).toEqual([
      "queue default",
    ]);
  });

  test("looks the machine over where there is no configuration at all", async () => {
    const mine = projectOn("");
    const { code, found } = await examine(mine, "--config", "gone.ini");
    expect(code).toBe(78);
    expect(found.map(({ check, verdict }) => `${verdict} ${check}`)).toEqual([
      "ok node",
      "ok sqlite",
      "fail config",
    ]);
  });

  test("tells of handlers that cannot be loaded, queue by queue", async () => {
    const mine = projectOn("[queue.mail]\nclassname = Mail\n");
    const { code, found } = await examine(mine);
    expect(code).toBe(78);
    const handlers = found.filter(({ check }) => check === "handlers");
    expect(handlers.map(({ about, verdict }) => [about, verdict])).toEqual([
      ["queue default", "ok"],
      ["queue mail", "fail"],
    ]);
  });

  test("tells of a store that cannot be where it shall be", async () => {
    const mine = projectOn("store = ./worker.mjs\n[queue.a]\nstore = ./worker.mjs/below\n");
    const { code, found } = await examine(mine);
    expect(code).toBe(78);
    expect(bad(found)).toEqual(["fail folder", "fail folder"]);
    expect(found.find(({ check }) => check === "folder")?.says).toContain("worker.mjs is not a folder");
  });

  test.skipIf(process.getuid?.() !== 0)(
    "tells whose files others cannot write (not here: takes root)",
    async () => {
      const mine = projectOn("");
      await mine.run("publish-task", ["note"]);
      const file = join(mine.folder, "memq-data", "store.db");
      chownSync(file, 65_534, 65_534);
      chmodSync(file, 0o600);
      const { code, found } = await examine(mine);
      expect([code, bad(found)]).toEqual([0, ["warn sharing"]]);
      expect(found.find(({ check }) => check === "sharing")?.says).toContain("store.db belong");
    },
  );

  test("refuses a queue that there is not", async () => {
    const { code, stderr } = await projectOn("").run("memq", ["doctor", "--queue", "psuh"]);
    expect([code, stderr]).toEqual([64, expect.stringContaining("psuh")]);
  });
});

describe.skipIf(noMemcached !== undefined)(
  `the warning of publish-task (${noMemcached ?? "all there"})`,
  () => {
    const known = (of: Project): readonly string[] => {
      const folder = join(of.folder, "memq-data", "servers");
      return existsSync(folder) ? readdirSync(folder) : [];
    };

    test("comes once, in one line, after the id", async () => {
      server = await startMemcached([]);
      const mine = projectOn(at(server));
      const first = await mine.run("publish-task", ["note"]);
      expect(first.code).toBe(0);
      expect(first.stdout).toMatch(/^\S+\n$/);
      expect(first.stderr).toBe(
        `publish-task: memcached 127.0.0.1:${String(server.port)} throws tasks away when its memory is full: ` +
          "start it with -M (memq doctor tells more)\n",
      );
      const connections = await connectionsOf(server);
      expect((await mine.run("publish-task", ["note"])).stderr).toBe("");
      // The publisher's own, and the one that asks for the count: nothing is asked a second time.
      expect((await connectionsOf(server)) - connections).toBe(2);
      expect(known(mine)).toEqual([`127.0.0.1%3A${String(server.port)}`]);
    });

    test("comes for a bulk too, and of two publishers at the same time to one", async () => {
      server = await startMemcached([]);
      const mine = projectOn(at(server));
      const both = await Promise.all([1, 2].map(() => mine.run("publish-task", ["note", "--count", "5"])));
      expect(both.map(({ code }) => code)).toEqual([0, 0]);
      expect(both.filter(({ stderr }) => stderr.includes("throws tasks away"))).toHaveLength(1);
    });

    test("does not come of a server that keeps what it has", async () => {
      server = await startMemcached(["-M"]);
      const mine = projectOn(at(server));
      expect((await mine.run("publish-task", ["note"])).stderr).toBe("");
      expect(known(mine)).toHaveLength(1);
    });

    test("waits for a call without --quiet", async () => {
      server = await startMemcached([]);
      const mine = projectOn(at(server));
      expect((await mine.run("publish-task", ["note", "--quiet"])).stderr).toBe("");
      expect((await mine.run("publish-task", ["note"])).stderr).toContain("throws tasks away");
    });

    test("a folder that cannot be written keeps nobody from publishing", async () => {
      server = await startMemcached([]);
      const mine = projectOn(`${at(server)}store = ./config.ini\n`);
      const { code, stderr } = await mine.run("publish-task", ["note"]);
      expect([code, stderr]).toEqual([0, ""]);
      expect(statSync(join(mine.folder, "config.ini")).isFile()).toBe(true);
      expect(readFileSync(join(mine.folder, "config.ini"), "utf8")).toContain("store");
    });
  },
);

async function connectionsOf(asked: MemcachedServer): Promise<number> {
  const lines = await asked.command("stats");
  return Number(lines.find((line) => line.startsWith("STAT total_connections "))?.split(" ")[2]);
}

interface Status {
  readonly queues: readonly { readonly waiting: number; readonly delayed: number; readonly dead: number }[];
}

const withoutTimes = ({ queues }: Status): object => ({
  queues: queues.map(({ waiting, delayed, dead }) => ({ waiting, delayed, dead })),
});
