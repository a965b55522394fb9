import { setTimeout as pause } from "node:timers/promises";
import { afterEach, describe, expect, test } from "vitest";
import { checkList, itemsOf } from "../servers/list-checker.ts";
import { noMemcached, startMemcached, type MemcachedServer } from "../servers/memcached-server.ts";
import { makeProject, tally, type Project, type Running } from "../servers/project.ts";

// What a person asks for; the usual run shows as much with less.
const TASKS = Number(process.env["MEMQ_TORTURE"] ?? 8_000);
const RUNS = 4;
const LEAST_KILLS = 12;
const MOST_KILLS = 60;

const HANDLER = `
import { appendFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
export default class Worker {
  async hit(n) {
    if (Number(n) % 4 !== 0) await pause(Number(n) % 8);
    appendFileSync("./worker.log", n + "\\n");
  }
}
`;

describe.skipIf(noMemcached !== undefined)(
  `runs that are killed (${noMemcached ?? "memcached is there"})`,
  () => {
    let server: MemcachedServer | undefined;
    let project: Project | undefined;
    afterEach(async () => {
      project?.remove();
      await server?.stop();
    });

    test.each([
      ["one by one", 1],
      ["in bundles", 16],
    ])(
      "while tasks are published %s lose none, and repeat little",
      { timeout: 150_000 },
      async (_how, bundle) => {
        const { ground, torn } = await tornGround(bundle);
        const published = [0, 1].map((half) =>
          ground.run("publish-task", ["hit", "--from", "-"], numbers(half)),
        );
        const kills = await torn.torture();
        for (const { code } of await Promise.all(published)) expect(code).toBe(0);
        await torn.drain();

        const hits = tally(ground.lines());
        const missing = Array.from({ length: TASKS }, (_, n) => String(n)).filter((n) => !hits.has(n));
        expect(missing).toEqual([]);
        const again = [...hits.values()].reduce((sum, times) => sum + times - 1, 0);
        expect(kills).toBeGreaterThanOrEqual(LEAST_KILLS);
        // What a kill may repeat: what was running, and what was not acknowledged of the last 5 ms.
        expect(again).toBeLessThanOrEqual(kills * 100);

        const { control, orphans, faults, ready, dead } = checkList(
          await itemsOf(torn.server, "default"),
          "default",
        );
        expect({ orphans, faults, ready, dead }).toEqual({ orphans: [], faults: [], ready: [], dead: [] });
        expect(control?.stakes).toEqual([]);
      },
    );

    async function tornGround(bundle: number): Promise<{ ground: Project; torn: Torn }> {
      server = await startMemcached(["-m", "256", "-M"]);
      const address = `queueip = ${server.host}\nqueueport = ${String(server.port)}`;
      const config = `${address}\nconcurrency = 2\nbundle = ${String(bundle)}\nmax-runs = 8\nretry = ${"0s, ".repeat(20)}0s\n`;
      project = makeProject({ config, handler: HANDLER });
      return { ground: project, torn: new Torn(project, server) };
    }
  },
);

const numbers = (half: number): string =>
  Array.from({ length: TASKS / 2 }, (_, i) => `${String(2 * i + half)}\n`).join("");

/** Runs of a project, of which one after the other is killed. */
class Torn {
  readonly server: MemcachedServer;
  readonly #project: Project;
  readonly #running: Running[] = [];

  constructor(project: Project, server: MemcachedServer) {
    this.#project = project;
    this.server = server;
  }

  /** Kills until all tasks have run at least once; answers how often. */
  async torture(): Promise<number> {
    let kills = 0;
    for (let round = 0; !this.#isDone() && round < 2_000; round++) {
      while (this.#running.length < RUNS) this.#start();
      await pause(100 + (round % 5) * 50);
      if (kills >= MOST_KILLS) continue;
      const victim = this.#running[round % this.#running.length];
      if (victim?.process.kill("SIGKILL") === true) kills += 1;
    }
    return kills;
  }

  /** Ends what is under way, then runs whatever there still is. */
  async drain(): Promise<void> {
    await Promise.all(this.#running.map(({ ended }) => ended));
    for (let round = 0; round < 5; round++) {
      expect((await this.#project.run("runjobs")).code).toBe(0);
    }
  }

  #start(): void {
    const running = this.#project.start("runjobs");
    this.#running.push(running);
    void running.ended.then(() => this.#running.splice(this.#running.indexOf(running), 1));
  }

  #isDone(): boolean {
    return tally(this.#project.lines()).size >= TASKS;
  }
}
