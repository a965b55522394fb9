import { appendFileSync } from "node:fs";
import { Readable } from "node:stream";
import { setTimeout as pause } from "node:timers/promises";
import { examineList, INVARIANTS, type Checked } from "./list-checker.ts";
import type { MemcachedServer } from "./memcached-server.ts";
import { makeProject, type Project, type Running } from "./project.ts";

/** How large a torture is. */
export interface TornSizes {
  readonly tasks: number;
  /** Tasks in a record. */
  readonly bundle: number;
  readonly runs: number;
  readonly publishers: number;
}

/** A process that may be killed, and whatever is started in its place. */
interface Part {
  readonly kind: "run" | "publisher";
  running?: Running;
  /** Publishers: their bulk is published to its end. */
  isOver: boolean;
  readonly start: () => Running;
}

/** How a torture went. */
export interface TornReport {
  readonly kills: number;
  readonly publisherKills: number;
  /** Names that were acknowledged and never ran. */
  readonly lost: readonly string[];
  /** Executions beyond the first. */
  readonly repeats: number;
  /** Executions that were repeated although their process was not killed. */
  readonly unexcused: readonly string[];
  /** The longest that a repeated execution had ended before its process was killed, in ms. */
  readonly widestMs: number;
}

const FEEDS = 10;
const FEED_MS = 250;
const QUEUE = "default";

const HANDLER = `
import { appendFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
const log = (what, n) => appendFileSync("./worker.log", [what, n, process.pid, Date.now()].join(" ") + "\\n");
export default class Worker {
  async hit(n) {
    log("began", n);
    if (Number(n) % 4 !== 0) await pause(Number(n) % 16);
    log("ended", n);
  }
}
`;

/** A project on memcached whose commands are killed at random moments. */
export class TornQueue {
  readonly project: Project;
  readonly #server: MemcachedServer;
  readonly #sizes: TornSizes;
  readonly #parts: Part[];
  /** When each process was killed, by its pid. */
  readonly #killed = new Map<number, number>();
  readonly #fed: number[] = [];
  #kills = 0;
  #publisherKills = 0;

  constructor(server: MemcachedServer, sizes: TornSizes) {
    this.#server = server;
    this.#sizes = sizes;
    const lines = [
      `queueip = ${server.host}`,
      `queueport = ${String(server.port)}`,
      "concurrency = 2",
      `bundle = ${String(sizes.bundle)}`,
      "max-runs = 16",
      `retry = ${"0s, ".repeat(30)}0s`, // whatever a kill may charge, nothing dies of it
    ];
    this.project = makeProject({ config: `${lines.join("\n")}\n`, handler: HANDLER });
    this.#parts = [
      ...Array.from({ length: sizes.publishers }, (_, at) => this.#publisher(at)),
      ...Array.from({ length: sizes.runs }, () => this.#run()),
    ];
  }

  /**
   * Kills one after the other until so many tasks have run at least once, and then all at the same time. After
   * so many kills it only watches: on a busy machine nobody would live long enough to run anything.
   */
  async tear({ untilRun, kills }: { readonly untilRun: number; readonly kills: number }): Promise<void> {
    const most = this.#kills + kills;
    for (let round = 0; this.executions().size < untilRun; round++) {
      if (round > MOST_ROUNDS)
        throw new Error(`after ${String(round)} rounds only ${String(this.executions().size)} ran`);
      for (const part of this.#parts) this.#keepUp(part);
      await pause(100 + Math.random() * 200);
      const victims = this.#parts.filter(({ running }) => running !== undefined);
      if (this.#kills < most) this.#kill(victims[Math.floor(Math.random() * victims.length)]);
      if (round % 10 === 9) tell(`${String(this.executions().size)} of ${String(this.#sizes.tasks)} ran`);
    }
    const endings = this.#parts.flatMap(({ running }) => running?.ended ?? []);
    for (const part of this.#parts) this.#kill(part);
    await Promise.all(endings);
  }

  /** Lets everything come to its end without a kill. */
  async finish(): Promise<void> {
    for (const part of this.#parts) {
      if (part.kind !== "publisher") continue;
      for (let tries = 0; !part.isOver && tries < 5; tries++) {
        this.#keepUp(part);
        await part.running?.ended;
      }
      if (!part.isOver) throw new Error("a publisher does not come to its end");
    }
    for (let round = 0; round < 5; round++) {
      const { code, stderr } = await this.project.run("runjobs");
      if (code !== 0) throw new Error(`a run ended with ${String(code)}: ${stderr}`);
    }
  }

  /** A look at the whole server, when all that was sent to it is done. */
  async examine(): Promise<Checked> {
    for (let round = 0; (await this.#connections()) > 0; round++) {
      if (round > 200) throw new Error("the server still has connections of processes that were killed");
      await pause(25);
    }
    const checked = await examineList(this.#server, QUEUE);
    tell(`the checker saw ${JSON.stringify(checked.seen)} and looked for ${INVARIANTS.join("; ")}`);
    return checked;
  }

  /** The names that have run to their end at least once. */
  executions(): ReadonlySet<string> {
    return new Set(this.#log().flatMap(({ what, name }) => (what === "ended" ? [name] : [])));
  }

  report(): TornReport {
    const ended = this.executions();
    const all = Array.from({ length: this.#sizes.tasks }, (_, at) => String(at));
    const again = this.#repeated();
    return {
      kills: this.#kills,
      publisherKills: this.#publisherKills,
      lost: all.filter((name) => !ended.has(name)),
      repeats: again.length,
      unexcused: again
        .filter(({ pid }) => !this.#killed.has(pid))
        .map(({ name, pid }) => `${name} in ${String(pid)}`),
      widestMs: Math.max(
        0,
        ...again.map(({ pid, endedAt }) => (endedAt ? (this.#killed.get(pid) ?? 0) - endedAt : 0)),
      ),
    };
  }

  async end(): Promise<void> {
    for (const part of this.#parts) part.running?.process.kill("SIGKILL");
    await Promise.all(this.#parts.flatMap(({ running }) => running?.ended ?? []));
    this.project.remove();
  }

  #publisher(half: number): Part {
    const start = (): Running =>
      this.project.start(
        "publish-task",
        ["hit", "--bulk", `half ${String(half)}`, "--from", "-"],
        this.#feed(half),
      );
    return { kind: "publisher", isOver: false, start };
  }

  #run(): Part {
    return { kind: "run", isOver: false, start: () => this.project.start("runjobs") };
  }

  #keepUp(part: Part): void {
    if (part.running !== undefined || part.isOver) return;
    const running = part.start();
    part.running = running;
    void running.ended.then(({ code, stderr }) => {
      delete part.running;
      if (part.kind === "publisher" && code === 0) part.isOver = true;
      if (code !== 0 && code !== null)
        tell(`a ${part.kind} ended with ${String(code)}: ${stderr.slice(0, 500)}`);
    });
  }

  #kill(part: Part | undefined): void {
    const child = part?.running?.process;
    if (child?.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    this.#killed.set(child.pid, Date.now());
    child.kill("SIGKILL");
    this.#kills += 1;
    if (part?.kind === "publisher") this.#publisherKills += 1;
  }

  /** The lines of one publisher: those that one before had at once, the others by and by. */
  #feed(half: number): Readable {
    const { tasks, publishers } = this.#sizes;
    const each = Math.ceil(tasks / publishers / FEEDS);
    const fed = this.#fed;
    const textOf = (from: number, to: number): string => {
      let text = "";
      for (let at = from; at < to; at++)
        if (at * publishers + half < tasks) text += `${String(at * publishers + half)}\n`;
      return text;
    };
    async function* lines(): AsyncGenerator<string> {
      const before = fed[half] ?? 0;
      if (before > 0) yield textOf(0, before * each);
      for (let feed = before; feed < FEEDS; feed++) {
        yield textOf(feed * each, (feed + 1) * each);
        fed[half] = feed + 1;
        await pause(FEED_MS);
      }
    }
    return Readable.from(lines());
  }

  /** Connections besides the one that asks. */
  async #connections(): Promise<number> {
    const stats = await this.#server.command("stats");
    const of = (name: string): number =>
      Number(stats.find((line) => line.startsWith(`STAT ${name} `))?.split(" ")[2] ?? 0);
    return of("curr_connections") - LISTENING - 1;
  }

  /** All executions of a task but the last. */
  #repeated(): readonly Execution[] {
    const known = new Map<string, Execution[]>();
    for (const { what, name, pid, at } of this.#log()) {
      const executions = known.get(name) ?? [];
      known.set(name, executions);
      const open = executions.findLast((one) => one.pid === pid && one.endedAt === undefined);
      if (what === "began") executions.push({ name, pid });
      else if (open !== undefined) open.endedAt = at;
    }
    return [...known.values()].flatMap((executions) => executions.slice(0, -1));
  }

  #log(): readonly { what: string; name: string; pid: number; at: number }[] {
    return this.project.lines().map((line) => {
      const [what = "", name = "", pid, at] = line.split(" ");
      return { what, name, pid: Number(pid), at: Number(at) };
    });
  }
}

interface Execution {
  readonly name: string;
  readonly pid: number;
  endedAt?: number;
}

const MOST_ROUNDS = 3_000;
const LISTENING = 1; // memcached counts the socket it listens on

/** Where a torture tells what it is at; nobody reads it in a usual run. */
export function tell(line: string): void {
  if (process.env["MEMQ_TORTURE_REPORT"] !== undefined) process.stderr.write(`  ${line}\n`);
}

/** Writes down figures of a torture, for whoever asked for them. */
export function writeFigures(name: string, figures: Readonly<Record<string, number | string>>): void {
  const text = Object.entries(figures).map(([key, value]) => `${String(value)} ${key}`);
  process.stderr.write(`torture: ${name}: ${text.join(", ")}\n`);
  const file = process.env["MEMQ_TORTURE_REPORT"];
  if (file !== undefined) appendFileSync(file, `${JSON.stringify({ name, ...figures })}\n`);
}
