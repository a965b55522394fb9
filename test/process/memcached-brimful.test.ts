import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { afterEach, describe, expect, test } from "vitest";
import { open, type Memq } from "../../src/index.ts";
import { examineList } from "../servers/list-checker.ts";
import { noMemcached, startMemcached, type MemcachedServer } from "../servers/memcached-server.ts";
import { makeProject, type Ended, type Project } from "../servers/project.ts";
import { writeFigures } from "../servers/torn-queue.ts";

// Every seventh fails at first, every fiftieth for good.
const HANDLER = `
import { appendFileSync } from "node:fs";
import { giveUp, task } from "memq";
export default class Worker {
  hit(text) {
    const name = text.split(":")[0];
    if (Number(name) % 50 === 3) throw giveUp("this one never works");
    if (Number(name) % 7 === 2 && task().attempt === 1) throw new Error("not the first time");
    appendFileSync("./worker.log", name + "\\n");
  }
}
`.replace('"memq"', JSON.stringify(join(import.meta.dirname, "../../dist/index.js")));

const MOST_TASKS = 200_000;
const REFILLED = 20;
const OTHER = "x";
// Done, or with dead letters. A run gives up (75) when a large outcome finds no room for seconds; the next one goes on.
const ENDS_OF_RUNS = [0, 1, 75];

describe.skipIf(noMemcached !== undefined)(
  `a server that is full (${noMemcached ?? "memcached is there"})`,
  () => {
    let server: MemcachedServer;
    let project: Project;
    let memq: Memq | undefined;
    async function begin(bundle: number): Promise<void> {
      server = await startMemcached(["-M", "-m", "8", "-o", "slab_automove_window=3"]);
      const at = `queueip = ${server.host}\nqueueport = ${String(server.port)}\n`;
      project = makeProject({
        config: `${at}retry = 0s, 0s\nconcurrency = 2\nbundle = ${String(bundle)}\n`,
        handler: HANDLER,
      });
    }
    afterEach(async () => {
      await memq?.close().catch(() => undefined); // it may have gone with the test
      memq = undefined;
      await server.stop();
      project.remove();
    });

    test.each([
      ["20 bytes", 20, 1],
      ["20 bytes in bundles of 16", 20, 16],
      ["2 KB", 2_048, 1],
      ["100 KB", 102_400, 1],
    ])(
      "of tasks of %s says so to publishers, is drained, and takes tasks again without a restart",
      { timeout: 180_000 },
      async (size, bytes, bundle) => {
        await begin(bundle);
        const beganAt = Date.now();
        memq = await open(join(project.folder, "config.ini"));
        const filler = new Filler(memq, { bytes, bundle });
        await filler.fill();
        const full = filler.kept.length;
        expect(full).toBeGreaterThan(10);
        // A few more may find a place, of another size than the others by a letter of their ids; but not so many.
        const more = ["hit", "--stdin", "--count", "500"];
        const refused = await project.run("publish-task", more, `${OTHER}:${"x".repeat(bytes + 4)}`);
        expect(refused.code, refused.stderr).toBe(75);

        // Publishers go on trying while runs make room.
        const drained = drain(project);
        while (filler.kept.length < full + REFILLED) {
          if ((await filler.tryOne()) === "full") await pause(20); // as a publisher that is told to try later does
        }
        const ends = await drained;
        for (const { code, stderr } of ends) expect(ENDS_OF_RUNS, stderr).toContain(code);

        const again = filler.kept.length;
        for (let count = 0; count < 5; count++) expect(await filler.tryOne()).toBe("kept");
        const last = await drain(project);
        for (const { code, stderr } of last) expect(ENDS_OF_RUNS, stderr).toContain(code);

        const lines = project.lines().filter((name) => name !== OTHER);
        const ran = new Set(lines);
        const dies = (name: string): boolean => Number(name) % 50 === 3;
        const missing = filler.kept.filter((name) => !ran.has(name) && !dies(name));
        const checked = await examineList(server, "default");
        writeFigures(`memory full, tasks of ${size}`, {
          "kept until it was full": full,
          "while it was drained": again - full,
          lost: missing.length,
          repeats: lines.length - ran.size,
          "dead letters": checked.dead.length,
          s: Math.round((Date.now() - beganAt) / 1_000),
        });
        expect(missing).toEqual([]);
        expect(checked).toMatchObject({ faults: [], unrecorded: [], vanished: 0, orphans: [], ready: [] });
        expect(checked.control).toMatchObject({ stakes: [], lost: 0 });
        expect(checked.dead).toHaveLength(filler.kept.filter(dies).length);
        expect(lines).toHaveLength(ran.size);
      },
    );
  },
);

/** Publishes tasks of one size until there is no room, and remembers which were kept. */
class Filler {
  readonly kept: string[] = [];
  readonly #memq: Memq;
  readonly #bytes: number;
  readonly #bundle: number;
  #next = 0;

  constructor(memq: Memq, { bytes, bundle }: { readonly bytes: number; readonly bundle: number }) {
    this.#memq = memq;
    this.#bytes = bytes;
    this.#bundle = bundle;
  }

  async fill(): Promise<void> {
    while (this.#next < MOST_TASKS) {
      const names = Array.from({ length: this.#bytes > 10_000 ? 10 : 500 }, () => String(this.#next++));
      const { outcomes, refused } = await this.#memq.publishMany(names.map((name) => this.#item(name)));
      for (const [at, outcome] of outcomes.entries()) {
        if (outcome.kind === "kept") this.kept.push(names[at] ?? "");
        else expect(outcome).toMatchObject({ kind: "refused", code: "QUEUE_FULL" });
      }
      if (refused > 0) break;
    }
    // What was not listed was taken back, which makes a little room again.
    for (let tries = 0; tries < 1_000; tries++) if ((await this.tryOne()) === "full") return;
    throw new Error("the server is never full");
  }

  /** One record more. */
  async tryOne(): Promise<"kept" | "full"> {
    const names = Array.from({ length: this.#bundle }, () => String(this.#next++));
    const { outcomes, refused } = await this.#memq.publishMany(names.map((name) => this.#item(name)));
    for (const [at, outcome] of outcomes.entries())
      if (outcome.kind === "kept") this.kept.push(names[at] ?? "");
    return refused === 0 ? "kept" : "full";
  }

  #item(name: string): { method: string; args: string[] } {
    return { method: "hit", args: [`${name}:${"x".repeat(this.#bytes)}`] };
  }
}

/** Two runs at a time, until one finds nothing. */
async function drain(project: Project): Promise<readonly Ended[]> {
  const ends: Ended[] = [];
  for (let round = 0; round < 10; round++) {
    ends.push(...(await Promise.all([project.run("runjobs"), project.run("runjobs")])));
    const { stdout } = await project.run("memq", ["status", "--json"]);
    const [queue] = (JSON.parse(stdout) as { queues: { waiting: number; delayed: number }[] }).queues;
    if ((queue?.waiting ?? 0) + (queue?.delayed ?? 0) < 20) return ends;
  }
  throw new Error(`it is never drained: ${ends.map(({ stderr }) => stderr.slice(-300)).join("\n")}`);
}
