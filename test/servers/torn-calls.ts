import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import fc from "fast-check";
import type { Json } from "../../src/index.ts";
import { processesOf, type ProjectProcess } from "./processes.ts";
import { makeProject, type Ended, type Project, type Running } from "./project.ts";
import { tell } from "./torn-queue.ts";

type Method = "square" | "refuse" | "shaky" | "late";
type Way = "group" | "call" | "publish";

/** A call that a caller is to make; its number is told from all others. */
export interface PlannedCall {
  readonly n: number;
  readonly method: Method;
  readonly wait: string;
  readonly delay?: string;
}

/** Calls that are made at the same time. */
interface Batch {
  readonly way: Way;
  readonly calls: readonly PlannedCall[];
}

/** What a caller has written down of one call. */
export interface Told {
  readonly n: number;
  /** "asked": it is about to be published; "listed": `run` of a group has given it once more, at the end. */
  readonly what: "asked" | "published" | "answered" | "listed";
  /** When, in ms since the caller was started. */
  readonly at: number;
  readonly id?: string;
  readonly value?: Json;
  readonly error?: { readonly code: string; readonly message: string };
}

/** A process that makes calls. */
export interface Caller {
  readonly calls: readonly PlannedCall[];
  readonly running: Running;
  readonly told: () => readonly Told[];
}

/** An execution of a task. */
interface Execution {
  readonly n: number;
  readonly pid: number;
  endedAt?: number;
  /** It has thrown what asks for another. */
  hasFailed?: boolean;
}

const BATCH = 10;

/** How long results are kept at most. */
export const KEPT_MS = 5 * 60_000;

const DIST = JSON.stringify(new URL("../../dist/index.js", import.meta.url).href);

const HANDLER = `
import { appendFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { giveUp, task } from ${DIST};
const log = (what, n) => appendFileSync("./worker.log", [what, n, process.pid, Date.now()].join(" ") + "\\n");
const answerTo = async (n) => {
  log("began", n);
  await pause((n % 8) * 4);
  log("ended", n);
  return { n, square: n * n, words: "王 '" + n + "'" };
};
export default class Worker {
  square(n) { return answerTo(n); }
  late(n) { return answerTo(n); }
  async refuse(n) { await answerTo(n); throw giveUp("no " + n); }
  async shaky(n) {
    if (task().attempt > 1) return answerTo(n);
    log("began", n);
    log("failed", n);
    throw new Error("not yet");
  }
}
`;

// Reads batches of calls and makes them, three at a time, and writes down what it asks and is told.
const CALLER = `
import { appendFileSync, readFileSync } from "node:fs";
import { open } from ${DIST};
const [, , name] = process.argv;
const tell = (n, what, more) => appendFileSync("./" + name + ".log", JSON.stringify({ n, what, at: performance.now(), ...more }) + "\\n");
const errorOf = ({ code, message }) => ({ error: { code: String(code), message } });
const memq = await open("config.ini");
const answer = async (n, of) => tell(n, "answered", await of.then((value) => ({ value }), errorOf));
const ways = {
  call: ({ n, method, wait, delay }) => answer(n, memq.call(method, [n], { wait, ...(delay && { delay }) })),
  publish: async ({ n, method, wait, delay }) => {
    const id = await memq.publish(method, [n], { keepResult: ${String(KEPT_MS)}, ...(delay && { delay }) });
    tell(n, "published", { id });
    await answer(n, memq.result(id, { wait }));
  },
};
const groupOf = async (calls) => {
  const group = memq.group();
  for (const { n, method } of calls) group.add(method, [n]);
  const toldOf = ({ id, result, error }) => ({ id, ...(error === undefined ? { value: result } : errorOf(error)) });
  group.onComplete((completion) => tell(completion.args[0], "answered", toldOf(completion)));
  const all = await group.run({ wait: calls[0].wait });
  for (const completion of all) tell(completion.args[0], "listed", toldOf(completion));
};
const batches = JSON.parse(readFileSync("./" + name + ".json", "utf8"));
const lane = async () => {
  for (let batch = batches.shift(); batch !== undefined; batch = batches.shift()) {
    for (const { n } of batch.calls) tell(n, "asked");
    await (batch.way === "group" ? groupOf(batch.calls) : Promise.all(batch.calls.map(ways[batch.way])));
  }
};
await Promise.all([lane(), lane(), lane()]);
await memq.close();
`;

/** Callers, workers and runs of cron that meet on one queue, and are killed at seeded moments. */
export class TornCalls {
  readonly project: Project;
  readonly callers: readonly Caller[];
  /** The one that is killed, sooner or later. */
  readonly doomed: Caller;
  readonly killed = new Map<number, number>();
  readonly kills = { workers: 0, parents: 0, runs: 0, callers: 0 };
  /** Runs and keepers of workers that have ended otherwise than by a kill. */
  readonly ended: Ended[] = [];
  launched = 0;
  #keeper: Running | undefined;
  readonly #runs = new Set<Running>();

  constructor(broker: string, sizes: { readonly calls: number; readonly callers: number }) {
    const settings = ["concurrency = 2", "max-runs = 3", `retry = ${"0s, ".repeat(30)}0s`];
    this.project = makeProject({ config: `${broker}${settings.join("\n")}\n`, handler: HANDLER });
    writeFileSync(join(this.project.folder, "caller.mjs"), CALLER);
    const each = Math.ceil(sizes.calls / sizes.callers);
    const all = Array.from({ length: sizes.callers }, (_, at) => this.#call(at, each));
    [this.doomed, ...this.callers] = all as [Caller, ...Caller[]];
  }

  /**
   * Starts what cron would start, and kills something every 100 to 300 ms, at most so many times; the caller that is
   * doomed besides. Resolves when each caller has its answers, or all that is to be killed is.
   */
  async tear(kills: number): Promise<void> {
    let callersLeft = this.callers.length;
    for (const { running } of this.callers) void running.ended.then(() => (callersLeft -= 1));
    const moments = fc.sample(fc.tuple(fc.integer({ min: 100, max: 300 }), fc.nat(9_999)), 10_000);
    while (callersLeft > 0 && (this.killed.size < kills || this.kills.callers === 0)) {
      const [ms, dice] = moments.shift() ?? [200, 0];
      this.#launch();
      await pause(ms);
      if (this.#isCallersTurn()) this.#kill(this.doomed.running.process.pid ?? 0, "callers");
      else if (this.killed.size < kills) this.#killOne(dice);
    }
  }

  /** Goes on as cron would, without a kill, until the promise is settled. */
  async until<T>(promise: Promise<T>): Promise<T> {
    const over = new AbortController();
    const settled = promise.finally(() => {
      over.abort();
    });
    while (!over.signal.aborted) {
      this.#launch();
      await Promise.race([settled, pause(500)]);
    }
    return settled;
  }

  /** Ends the workers as a process manager would, and waits for all runs. */
  async finish(): Promise<void> {
    this.#keeper?.process.kill("SIGTERM");
    await this.#keeper?.ended;
    await Promise.all([...this.#runs].map(({ ended }) => ended));
  }

  /** All executions of a task but the last, without those that asked for another. */
  repeats(): readonly Execution[] {
    const all = this.executions();
    const last = new Map(all.map((one) => [one.n, one]));
    return all.filter((one) => one.hasFailed !== true && last.get(one.n) !== one);
  }

  executions(): readonly Execution[] {
    const all: Execution[] = [];
    for (const line of this.project.lines()) {
      const [what, n, pid, at] = line.split(" ");
      if (what === "began") all.push({ n: Number(n), pid: Number(pid) });
      const last = all.findLast((one) => one.n === Number(n) && one.pid === Number(pid));
      if (last !== undefined && what === "ended") last.endedAt = Number(at);
      if (last !== undefined && what === "failed") last.hasFailed = true;
    }
    return all;
  }

  /** What is left of all that was started. */
  left(): readonly ProjectProcess[] {
    return processesOf(this.project.folder);
  }

  /** Kills whatever is left, and what a parent has started meanwhile. */
  async end(): Promise<void> {
    for (let all = this.left(); all.length > 0; all = this.left()) {
      for (const { pid } of all) killIfThere(pid);
      await pause(20);
    }
    this.project.remove();
  }

  #call(at: number, count: number): Caller {
    const name = `caller-${String(at)}`;
    const batches = planOf(at, count);
    writeFileSync(join(this.project.folder, `${name}.json`), JSON.stringify(batches));
    return {
      calls: batches.flatMap(({ calls }) => calls),
      running: this.project.startModule("caller.mjs", [name]),
      told: () => this.project.lines(`${name}.log`).map((line) => JSON.parse(line) as Told),
    };
  }

  #launch(): void {
    if (this.#keeper === undefined) {
      const keeper = this.project.start("memq", ["work", "-p", "2", "--if-not-running"]);
      this.#keeper = keeper;
      void this.#note(keeper).then(() => (this.#keeper = undefined));
    }
    if (this.#runs.size >= MOST_RUNS) return;
    const run = this.project.start("runjobs");
    this.launched += 1;
    this.#runs.add(run);
    void this.#note(run).then(() => this.#runs.delete(run));
  }

  async #note({ ended }: Running): Promise<void> {
    const how = await ended;
    if (how.signal !== "SIGKILL") this.ended.push(how);
  }

  // Some of its calls have been answered, and others are under way.
  #isCallersTurn(): boolean {
    if (this.kills.callers > 0) return false;
    const told = this.doomed.told();
    const count = (what: Told["what"]): number => told.filter((one) => one.what === what).length;
    return count("answered") * 4 > this.doomed.calls.length && count("asked") > count("answered");
  }

  #killOne(dice: number): void {
    const all = this.left().map((one) => ({ pid: one.pid, kind: kindOf(one) }));
    const parent = all.find(({ kind }) => kind === "parents");
    const others = all.filter(({ kind }) => kind === "workers" || kind === "runs");
    const begun = new Set(this.executions().map(({ pid }) => pid));
    const atWork = others.filter(({ pid }) => begun.has(pid));
    // On a busy machine most would be killed while they start: two in three are to have run something.
    const victims = dice % 3 === 0 ? others : atWork;
    const victim = dice % 20 === 0 && parent !== undefined ? parent : victims[dice % victims.length];
    if (victim !== undefined) this.#kill(victim.pid, victim.kind);
  }

  #kill(pid: number, kind: keyof TornCalls["kills"]): void {
    this.killed.set(pid, Date.now());
    if (!killIfThere(pid)) this.killed.delete(pid);
    else this.kills[kind] += 1;
    tell(`killed one of the ${kind}`);
  }
}

// More would do nothing but start.
const MOST_RUNS = 2;

/**
 * What a call is to be answered with; an error has its code and its message's beginning. `hasRun`: its task may have
 * ended before the caller gave it up.
 */
export function answerTo({ n, method, wait }: PlannedCall, hasRun = true): Pick<Told, "value" | "error"> {
  if (method === "late" && wait === SHORT && !hasRun) return { error: { code: "WAIT_TIMEOUT", message: "" } };
  if (method === "refuse") return { error: { code: "TASK_FAILED", message: `no ${String(n)}` } };
  return { value: { n, square: n * n, words: `王 '${String(n)}'` } };
}

const SHORT = "200ms";

/** After what time the task of a call that is to be given up is run, in ms. */
export const LATE_MS = 2_000;

/** How long a call is waited for. */
export const LONG = "60s";

function planOf(caller: number, count: number): readonly Batch[] {
  const ways: readonly Way[] = ["group", "call", "publish"];
  return Array.from({ length: Math.ceil(count / BATCH) }, (_, batch) => {
    const way = ways[batch % ways.length] ?? "group";
    const numbers = Array.from({ length: BATCH }, (_, at) => caller * count + batch * BATCH + at);
    return { way, calls: numbers.slice(0, count - batch * BATCH).map((n) => callOf(n, way)) };
  });
}

function callOf(n: number, way: Way): PlannedCall {
  if (n % 10 === 3) return { n, method: "refuse", wait: LONG };
  if (n % 10 === 7) return { n, method: "shaky", wait: LONG };
  if (n % 20 === 9 && way !== "group")
    return { n, method: "late", delay: `${String(LATE_MS)}ms`, wait: SHORT };
  return { n, method: "square", wait: LONG };
}

function kindOf({ words, isWorker }: ProjectProcess): keyof TornCalls["kills"] {
  if (isWorker) return "workers";
  if (words.some((word) => word.endsWith("caller.mjs"))) return "callers";
  return words.includes("work") ? "parents" : "runs";
}

function killIfThere(pid: number): boolean {
  try {
    return process.kill(pid, "SIGKILL");
  } catch {
    return false; // it has just ended
  }
}
