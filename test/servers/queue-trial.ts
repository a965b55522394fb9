import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { openMemcachedBroker } from "../../src/adapters/memcached/broker.ts";
import { openMemjsWire } from "../../src/adapters/memcached/memjs-wire.ts";
import { randomName } from "../../src/adapters/memcached/names.ts";
import type { Answer, Operation, Wire } from "../../src/adapters/memcached/wire.ts";
import type { Broker, Claim } from "../../src/ports/broker.ts";
import type { Clock } from "../../src/ports/clock.ts";
import { plainCodec } from "../../src/task/codec.ts";
import type { Call, Draft } from "../../src/task/task.ts";
import type { MemcachedServer } from "./memcached-server.ts";

// Long enough for a server on a busy machine; a late one is late beyond it.
const ANSWER_MS = 400;

/** How large things are on the queue of a trial. */
export interface TrialSizes {
  /** Most tasks in a record. Default 1. */
  readonly bundle?: number;
  /** From which length on a list is followed by another. Default: as everywhere. */
  readonly listBytes?: number;
}

/** A process that works on the queue of a trial, as far as the server can tell. */
export interface Party {
  readonly broker: Broker;
  /** It is gone, with its heartbeat: nothing more comes from it. */
  kill(): Promise<void>;
}

/**
 * A queue on a real memcached for one test, with a clock that moves only where somebody waits: what is sent, and in
 * which order, is the same every time. It counts what is run.
 */
export class QueueTrial {
  readonly queue = `trial-${randomName(8)}`;
  readonly #server: MemcachedServer;
  readonly #sizes: TrialSizes;
  readonly #clock = new PatientClock();
  readonly #memory = mkdtempSync(join(tmpdir(), "memq-trial-"));
  readonly #parties: Party[] = [];
  /** Everything that may be there of the queue. */
  readonly keys = new Set<string>();
  readonly #runs = new Map<string, number>();

  constructor(server: MemcachedServer, sizes: TrialSizes = {}) {
    this.#server = server;
    this.#sizes = sizes;
  }

  /** @param port of the server, or of a proxy before it */
  open(port = this.#server.port): Party {
    const wire = new WatchedWire(
      openMemjsWire({ server: { host: this.#server.host, port }, connectMs: ANSWER_MS, answerMs: ANSWER_MS }),
      { clock: this.#clock, keys: this.keys },
    );
    const broker = openMemcachedBroker({
      wire,
      queue: this.queue,
      codec: plainCodec(900_000),
      memory: this.#memory,
      clock: this.#clock,
      elapsedMs: () => this.#clock.now(),
      bundle: this.#sizes.bundle ?? 1,
      limits: { listBytes: this.#sizes.listBytes ?? 2_048 },
      random: (letters) => (letters === 1 ? NEVER_LOOKS : randomName(letters)),
      // Only its heartbeat tells whether it lives.
      holder: { host: "elsewhere", realm: "", pid: this.#parties.length + 1, startedAt: "1" },
    });
    let killed: Promise<void> | undefined;
    const kill = (): Promise<void> => {
      wire.close();
      return this.#delete(wire.beats);
    };
    // Whoever comes second waits for the same end: only then nobody takes it for alive.
    const party: Party = { broker, kill: () => (killed ??= kill()) };
    this.#parties.push(party);
    return party;
  }

  now(): number {
    return this.#clock.now();
  }

  advance(ms: number): void {
    this.#clock.advance(ms);
  }

  /** How often each task was run. */
  get allRuns(): ReadonlyMap<string, number> {
    return this.#runs;
  }

  /** How often the task of that name was run. */
  runs(name: string): number {
    return this.#runs.get(name) ?? 0;
  }

  /** Starts claims and ends them well, as far as they may be; answers which are known to be over. */
  async work({ broker }: Party, claims: readonly Claim[]): Promise<readonly string[]> {
    const over: string[] = [];
    for (const claim of claims) {
      if ((await this.start(broker, claim)) !== "started") continue;
      const [settled] = await broker.settle([{ claim, outcome: { kind: "done" } }]);
      if (settled === "settled") over.push(nameOf(claim));
    }
    return over;
  }

  /** Starts a claim, and counts the run if it may be run. */
  async start(broker: Broker, claim: Claim, last = false): Promise<"started" | "lost" | "cancelled"> {
    const started = await broker.start(claim, { last });
    if (started === "started") this.#ran(nameOf(claim));
    return started;
  }

  /** A fresh party takes and runs whatever there is, however late it falls due. */
  async drain(): Promise<void> {
    const party = this.open();
    for (let round = 0; round < MOST_ROUNDS; round++) {
      const { claims, idle } = await party.broker.claim({ limit: 2, atOnce: 1 });
      await this.work(party, claims);
      if (idle?.kind === "empty") return party.broker.close();
      if (idle?.kind === "due") this.#clock.advance(Math.max(1, idle.at - this.#clock.now()));
      if (idle?.kind === "paused")
        this.#clock.advance(Math.max(1, (idle.untilMs ?? Infinity) - this.#clock.now()));
      if (idle?.kind === "held") this.#clock.advance(1_000);
    }
    throw new Error("the queue is never drained");
  }

  /** Leaves nothing on the server, where the next trial would have to look through it. */
  async end(): Promise<void> {
    for (const party of this.#parties) await party.kill();
    await this.#delete([...this.keys]);
    rmSync(this.#memory, { recursive: true, force: true });
  }

  #ran(name: string): void {
    this.#runs.set(name, this.runs(name) + 1);
  }

  async #delete(keys: readonly string[]): Promise<void> {
    if (keys.length === 0) return;
    const wire = openMemjsWire({ server: { host: this.#server.host, port: this.#server.port } });
    await wire.batch(keys.map((key) => ({ kind: "delete", key })));
    wire.close();
  }
}

const MOST_ROUNDS = 200;
const NEVER_LOOKS = "z"; // one publisher in 31 has a look at the list's length: not in a trial that counts steps

/** A task that is told from others by its one argument. */
export const named = (name: string, wishes: Partial<Draft> = {}): Draft => ({
  method: "m",
  args: [name],
  ...wishes,
});

/** What tells a call from others. */
export const nameIn = ({ args: [name] }: Call): string => (typeof name === "string" ? name : "");

export const nameOf = ({ task }: Claim): string => nameIn(task);

/** Moves when somebody waits, and then at once by all of the wait. */
class PatientClock implements Clock {
  #now = Date.UTC(2026, 0, 1);

  upMs(): number {
    return performance.now();
  }

  now(): number {
    return this.#now;
  }

  advance(ms: number): void {
    this.#now += ms;
  }

  async until(atMs: number): Promise<void> {
    await pause(Math.max(0, Math.min(atMs - this.#now, 100)));
    this.#now = Math.max(this.#now, atMs);
  }
}

/** Knows which heartbeats its party has, and tells the time of the trial as the server's. */
class WatchedWire implements Wire {
  readonly beats: string[] = [];
  readonly #wire: Wire;
  readonly #trial: { readonly clock: Clock; readonly keys: Set<string> };

  constructor(wire: Wire, trial: { readonly clock: Clock; readonly keys: Set<string> }) {
    this.#wire = wire;
    this.#trial = trial;
  }

  get server(): string {
    return this.#wire.server;
  }

  batch(operations: readonly Operation[]): Promise<readonly Answer[]> {
    for (const operation of operations) {
      if (operation.kind !== "add") continue;
      this.#trial.keys.add(operation.key);
      if (operation.ttlSeconds !== undefined) this.beats.push(operation.key);
    }
    return this.#wire.batch(operations);
  }

  async stats(group: Parameters<Wire["stats"]>[0]): Promise<ReadonlyMap<string, string>> {
    const stats = new Map(await this.#wire.stats(group));
    return stats.set("time", String(Math.floor(this.#trial.clock.now() / 1_000)));
  }

  close(): void {
    this.#wire.close();
  }
}
