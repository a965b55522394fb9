import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { ended, heard, killed, started, succeeded } from "./child.mjs";
import { bytesBelow } from "./daemons.mjs";
import { jsonIn } from "./json.mjs";
import { command, rescueMs } from "./memq-project.mjs";
import { freePort } from "./port.mjs";
import { both, faultIn, nobody, rollOf } from "./roll-call.mjs";
import { Server } from "./server.mjs";
import { argsOf } from "./task.mjs";
import { until } from "./waiting.mjs";

/** @typedef {import("./contenders.mjs").Contender} Contender */
/** @typedef {import("./roll-call.mjs").RollCall} RollCall */
/** @typedef {{ first?: number, count: number }} Span */
/** @typedef {{ ms: number, beganAtMs: number, roll?: RollCall, peakMb?: number, waiting?: number, times?: [string, number][] }} Figures */

const MEASURED = join(import.meta.dirname, "measured.mjs");
const MUCH_MS = 300_000; // for a million tasks; other measurements get the usual time
const MANY = 200_000;
const ALL = 0; // said to a drain
const WARM_UP = 5; // a worker that has never had a task compiles its way first
/** A task of a dead consumer that nobody has got by then is not waited for. */
export const RESCUE_WITHIN_MS = 15_000;

/** A contender at work, in a folder of its own and with a server of its own. */
export class Place {
  /** @type {Server | undefined} */
  #server;
  #sent = nobody();
  #arrived = nobody();

  /** @param {Contender} contender @param {import("./daemons.mjs").Home & { peers: string }} home */
  constructor(contender, home) {
    this.contender = contender;
    this.home = home;
  }

  /** @param {Contender} contender @param {{ above: string, peers: string }} where */
  static async open(contender, { above, peers }) {
    const folder = join(above, contender.client + (await freePort()).toString());
    mkdirSync(folder);
    const spare = /** @type {const} */ ([await freePort(), await freePort()]);
    const place = new Place(contender, { folder, peers, port: await freePort(), spare });
    contender.prepare?.(place.home);
    await place.startServer();
    return place;
  }

  async startServer() {
    if (this.contender.daemon !== undefined) {
      this.#server = await Server.start(this.contender.daemon, this.home);
    }
  }

  async killServer() {
    await this.#server?.kill();
    this.#server = undefined;
  }

  async close() {
    await this.killServer();
    removeFolder(this.home.folder);
  }

  /** With nothing of what was before. */
  async renew() {
    await this.killServer();
    removeFolder(this.home.folder);
    mkdirSync(this.home.folder);
    this.contender.prepare?.(this.home);
    await this.startServer();
    this.#sent = nobody();
    this.#arrived = nobody();
  }

  /** What its tasks occupy, and what it needs without them. */
  async bytes() {
    if (this.#server !== undefined) return this.#server.bytes();
    return bytesBelow(join(this.home.folder, this.contender.store ?? "."));
  }

  /** Publishes one after the other; milliseconds. @param {Span} span */
  async publishEach(span) {
    this.#sent = both(this.#sent, rollOf({ first: 0, ...span }));
    return (await this.#measured("publish-each", span)).ms;
  }

  /** Publishes as a bulk; milliseconds. @param {Span} span */
  async publishAll(span) {
    this.#sent = both(this.#sent, rollOf({ first: 0, ...span }));
    return (await this.#measured("publish-all", span)).ms;
  }

  /** Publishes one after the other, and is killed -9 at the moment that the last one is kept. @param {Span} span */
  async publishAndDie(span) {
    this.#sent = both(this.#sent, rollOf({ first: 0, ...span }));
    const process = this.#start("publish-and-die", span);
    if ((await process.end) !== "SIGKILL") throw new Error(process.said.error);
  }

  /** How many tasks wait, says the queue itself. */
  async waiting() {
    return (await this.#measured("waiting", { count: 0 })).waiting ?? Number.NaN;
  }

  /**
   * Works off what waits, by so many processes at once.
   * @param {{ processes?: number, limit?: number }} [how] default: one, all
   */
  async drain({ processes = 1, limit = ALL } = {}) {
    const runs = Array.from({ length: processes }, () =>
      this.#start("drain", { count: limit, together: true }),
    );
    await Promise.all(runs.map((run) => heard(run, "ready")));
    for (const { child } of runs) child.stdin?.write("go\n");
    await Promise.all(runs.map((run) => succeeded(run, MUCH_MS)));
    const found = runs.map(figuresOf);
    for (const { roll } of found) this.#arrived = both(this.#arrived, roll ?? nobody());
    const beganAtMs = Math.min(...found.map((each) => each.beganAtMs));
    return {
      ms: Math.max(...found.map((each) => each.beganAtMs + each.ms)) - beganAtMs,
      peakMb: Math.max(...found.map(({ peakMb = 0 }) => peakMb)),
      count: found.reduce((sum, { roll }) => sum + (roll?.count ?? 0), 0),
    };
  }

  /**
   * Milliseconds from the begin of a publish to the handler, for each of some tasks that are published now and then
   * while another process waits for them.
   * @param {{ count: number }} span
   */
  async latencies({ count }) {
    const worker = this.#start("work-as-they-come", { count: count + WARM_UP });
    await heard(worker, "ready");
    const { times: sent = [] } = await this.#measured("publish-now-and-then", { count: count + WARM_UP });
    await succeeded(worker);
    const arrived = new Map(figuresOf(worker).times);
    return sent.slice(WARM_UP).map(([id, atMs]) => (arrived.get(id) ?? Number.NaN) - atMs);
  }

  /** @throws when a task that was published since the last time did not arrive, or not once */
  assertAllArrived() {
    const fault = faultIn(this.#sent, this.#arrived);
    this.#sent = nobody();
    this.#arrived = nobody();
    if (fault !== undefined) throw new Error(fault);
  }

  /** One publish as a process, as from a shell; milliseconds of the whole process. */
  async publishCommand() {
    const { folder } = this.home;
    this.#sent = both(this.#sent, rollOf({ first: 0, count: 1 }));
    if (!this.contender.isOurs) return (await this.#run("publish-each", { count: 1 })).ms;
    const { ms, out } = await command("publish-task", folder, "push", ...argsOf(0));
    if (out.trim() === "") throw new Error("publish-task printed no id");
    return ms;
  }

  /** A batch run that finds nothing, as cron starts it; milliseconds of the whole process. */
  async runCommand() {
    if (!this.contender.isOurs) return (await this.#run("drain", { count: ALL })).ms;
    return (await command("runjobs", this.home.folder)).ms;
  }

  /** Milliseconds of `memq status`. */
  async statusCommand() {
    return (await command("memq", this.home.folder, "status", "--json")).ms;
  }

  /** Milliseconds from kill -9 of a consumer to the end of its task in another; infinite when that takes too long. */
  async rescue() {
    if (this.contender.isOurs) return rescueMs(this.home.folder);
    await this.#measured("publish-each", { count: 1 });
    const holder = this.#start("hold", { count: 1 });
    await heard(holder, "held");
    const heir = this.#start("rescue", { count: 1 });
    await heard(heir, "ready");
    const beganMs = performance.now();
    await killed(holder);
    try {
      await until("the other one does the task", () => heir.said.out.includes("done"), RESCUE_WITHIN_MS);
      return performance.now() - beganMs;
    } catch {
      return Number.POSITIVE_INFINITY;
    } finally {
      await killed(heir);
    }
  }

  /** @param {string} what @param {Span & { together?: boolean }} setting @returns {Promise<Figures>} */
  async #measured(what, setting) {
    const process = this.#start(what, setting);
    await succeeded(process, setting.count > MANY ? MUCH_MS : undefined);
    return figuresOf(process);
  }

  /** @param {string} what @param {Span & { together?: boolean }} setting */
  #start(what, setting) {
    const input = setting.together === true;
    return started(process.execPath, this.#commandOf(what, setting), { cwd: this.home.folder, input });
  }

  /** @param {string} what @param {Span} setting */
  #run(what, setting) {
    return ended(process.execPath, this.#commandOf(what, setting), { cwd: this.home.folder });
  }

  /** @param {string} what @param {Span} setting */
  #commandOf(what, setting) {
    const { folder, port, peers } = this.home;
    return [
      MEASURED,
      this.contender.client,
      what,
      JSON.stringify({ folder, port, peers, first: 0, ...setting }),
    ];
  }
}

/** @param {import("./child.mjs").Started} process */
function figuresOf({ said }) {
  const lines = said.out.trim().split("\n");
  return /** @type {Figures} */ (jsonIn(lines.at(-1) ?? ""));
}

/** Also one that a server which was killed a moment ago has written to. @param {string} folder */
const removeFolder = (folder) => {
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
};
