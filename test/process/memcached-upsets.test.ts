import { setTimeout as pause } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { examineList } from "../servers/list-checker.ts";
import { noMemcached, startMemcached, type MemcachedServer } from "../servers/memcached-server.ts";
import { makeProject, tally, type Ended, type Project } from "../servers/project.ts";
import { tell, writeFigures } from "../servers/torn-queue.ts";

const HANDLER = `
import { appendFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
export default class Worker {
  async hit(n) {
    await pause(Number(n) % 6);
    appendFileSync("./worker.log", n + "\\n");
  }
}
`;

// Slack for machines that start two processes a second.
const RECOVERS_MS = 30_000;
const BATCH = 40;

/** What a publisher was told of a batch, and when it was begun. */
interface Batch {
  readonly names: readonly string[];
  readonly beganAt: number;
  readonly code: number | null;
}

describe.skipIf(noMemcached !== undefined)(
  `a server under load (${noMemcached ?? "memcached is there"})`,
  () => {
    let server: MemcachedServer;
    let load: Load;
    beforeEach(async () => {
      server = await startMemcached(["-m", "128", "-M"]);
      load = new Load(server);
    });
    afterEach(async () => {
      await load.end();
      await server.stop();
    });

    test.each([
      ["is flushed", "flush", () => server.command("flush_all")],
      ["is restarted", "restart", () => server.restart()],
    ] as const)(
      "that %s is used again by itself, and the loss is told once",
      { timeout: 150_000 },
      async (what, cause, upset) => {
        await load.until(() => load.published > 3 * BATCH && load.project.lines().length > BATCH);
        const at = Date.now();
        await upset();
        const upsetMs = Date.now() - at;
        // Publishers and runs go on; what is begun from now on is kept.
        await load.until(() => load.keptSince(at + upsetMs).length > 5 * BATCH);
        await load.stop();

        const ran = tally(load.project.lines());
        const missing = load.keptSince(at + upsetMs).filter((name) => !ran.has(name));
        const again = [...ran.values()].reduce((sum, times) => sum + times - 1, 0);
        const told = load.runs.filter(({ stderr }) => stderr.includes("[TASKS_LOST]"));
        writeFigures(`${what} under load`, {
          "kept before": load.published - load.keptSince(at + upsetMs).length,
          "kept afterwards": load.keptSince(at + upsetMs).length,
          "lost of them": missing.length,
          repeats: again,
          "ms until a publisher was served again": load.servedAgainMs(at),
        });
        expect(missing).toEqual([]);
        expect(load.servedAgainMs(at)).toBeLessThan(RECOVERS_MS);
        // Once on this host, by a run that says so with its exit code, and how much it may be.
        expect(told.map(({ stderr }) => stderr).join("\n")).toMatch(
          /(unknown number of tasks, perhaps none, were|at least \d+ tasks? (was|were)) lost/,
        );
        expect(told.map(({ stderr }) => stderr.split("[TASKS_LOST]").length - 1)).toEqual([1]);
        expect(told.map(({ code }) => code)).toEqual([74]);
        expect(told[0]?.stderr).toContain(`(${cause})`);
        expect(told[0]?.stderr).toMatch(/memq default: .*tasks were lost\)/); // the summary, too
        for (const { code, stderr } of load.runs) expect([0, 74], stderr).toContain(code);
        const status = await load.project.run("memq", ["status"]);
        expect(status.stdout).toMatch(
          new RegExp(
            `^default: (an unknown number of tasks, perhaps none,|at least \\d+ tasks?) (was|were) lost \\(${cause}\\), found out `,
            "m",
          ),
        );
        const checked = await examineList(server, "default");
        expect(checked).toMatchObject({ faults: [], unrecorded: [], vanished: 0 });
        expect(checked.control?.stakes).toEqual([]);
      },
    );

    test.each([1_000, 1_900])(
      "that stands still for %d ms is waited for: no error, and nothing twice",
      { timeout: 120_000 },
      async (ms) => {
        await load.until(() => load.project.lines().length > BATCH);
        for (let stalls = 0; stalls < 2; stalls++) {
          server.freeze();
          await pause(ms); // the stall itself
          server.thaw();
          const before = load.project.lines().length;
          await load.until(() => load.project.lines().length > before + BATCH);
        }
        await load.stop();
        const ran = tally(load.project.lines());
        const again = [...ran.values()].filter((times) => times > 1).length;
        const missing = load.keptSince(0).filter((name) => !ran.has(name));
        writeFigures(`stands still for ${String(ms)} ms`, {
          kept: load.published,
          lost: missing.length,
          repeats: again,
        });
        expect(missing).toEqual([]);
        expect(again).toBe(0);
        for (const { code, stderr } of load.runs) expect(code, stderr).toBe(0);
        for (const { code } of load.batches) expect(code).toBe(0);
      },
    );

    test(
      "that stands still for longer is given up with exit 69, and loses nothing that was acknowledged",
      { timeout: 180_000 }, // a run waits as long as its lease lasts, and then has more to do
      async () => {
        await load.until(() => load.project.lines().length > BATCH);
        server.freeze();
        const frozenAt = Date.now();
        const newcomer = await load.project.run("publish-task", ["hit", "0"]);
        const newcomerMs = Date.now() - frozenAt;
        await load.until(
          () => load.runs.some(({ code }) => code === 69) && load.batches.some(({ code }) => code === 69),
        );
        server.thaw();
        const thawedAt = Date.now();
        await load.until(() => load.keptSince(thawedAt).length > BATCH);
        await load.stop();
        const ran = tally(load.project.lines());
        const missing = load.keptSince(0).filter((name) => !ran.has(name));
        writeFigures("stands still until it is given up", {
          kept: load.published,
          lost: missing.length,
          "ms until a newcomer gave up": newcomerMs,
          "ms until it was thawed": thawedAt - frozenAt,
        });
        expect(newcomer.code, newcomer.stderr).toBe(69);
        expect(newcomerMs).toBeLessThan(5_000 + STARTING_MS);
        expect(missing).toEqual([]);
        for (const { code, stderr } of load.runs) expect([0, 69, 74], stderr).toContain(code);
        const checked = await examineList(server, "default");
        expect(checked).toMatchObject({ faults: [], unrecorded: [], vanished: 0 });
        expect(checked.control?.stakes).toEqual([]);
      },
    );
  },
);

// What a busy machine takes to start a command.
const STARTING_MS = 5_000;

/** Two publishers and two runs, each started again when it ends. */
class Load {
  readonly project: Project;
  readonly batches: Batch[] = [];
  readonly runs: Ended[] = [];
  readonly #lanes: Promise<void>[];
  #isStopping = false;
  #next = 0;

  constructor(server: MemcachedServer) {
    const at = `queueip = ${server.host}\nqueueport = ${String(server.port)}\n`;
    this.project = makeProject({ config: `${at}concurrency = 2\nbundle = 4\n`, handler: HANDLER });
    this.#lanes = [this.#publish(), this.#publish(), this.#run(), this.#run()];
  }

  /** Tasks that were acknowledged. */
  get published(): number {
    return this.keptSince(0).length;
  }

  /** Names in batches that were begun since then and acknowledged. */
  keptSince(ms: number): readonly string[] {
    return this.batches.flatMap(({ names, beganAt, code }) => (beganAt >= ms && code === 0 ? names : []));
  }

  /** How long after that a publisher that was begun later had its batch kept. */
  servedAgainMs(ms: number): number {
    const first = this.batches.find(({ beganAt, code }) => beganAt >= ms && code === 0);
    return first === undefined ? Infinity : first.beganAt - ms;
  }

  /** Resolves when it holds. */
  async until(holds: () => boolean): Promise<void> {
    const end = Date.now() + 90_000;
    while (!holds()) {
      if (Date.now() > end) throw new Error(`waited in vain: ${JSON.stringify(this.runs.slice(-3))}`);
      await pause(20);
    }
  }

  /** Ends the load, and runs what there is. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    await Promise.all(this.#lanes);
    for (let round = 0; round < 3; round++) this.runs.push(await this.project.run("runjobs"));
  }

  async end(): Promise<void> {
    this.#isStopping = true;
    await Promise.all(this.#lanes);
    this.project.remove();
  }

  async #publish(): Promise<void> {
    while (!this.#isStopping) {
      const names = Array.from({ length: BATCH }, () => String(this.#next++));
      const beganAt = Date.now();
      const { code, stderr } = await this.project.run(
        "publish-task",
        ["hit", "--from", "-"],
        names.join("\n"),
      );
      if (code !== 0) tell(`a publisher ended with ${String(code)}: ${stderr}`);
      this.batches.push({ names, beganAt, code });
    }
  }

  async #run(): Promise<void> {
    while (!this.#isStopping) this.runs.push(await this.project.run("runjobs"));
  }
}
