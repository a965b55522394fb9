import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openMemcachedBroker } from "../../src/adapters/memcached/broker.ts";
import { decodeControl } from "../../src/adapters/memcached/control-codec.ts";
import { openMemjsWire } from "../../src/adapters/memcached/memjs-wire.ts";
import { keyedNameOf, keysOf, memberOf, randomName } from "../../src/adapters/memcached/names.ts";
import { decodeRecord, encodeRecord } from "../../src/adapters/memcached/record.ts";
import type { Answer, Operation, Wire } from "../../src/adapters/memcached/wire.ts";
import type { Broker } from "../../src/ports/broker.ts";
import type { Clock } from "../../src/ports/clock.ts";
import { FakeMemcached } from "../servers/fake-memcached.ts";
import { noMemcached, startMemcached } from "../servers/memcached-server.ts";
import type { MemcachedServer } from "../servers/memcached-server.ts";
import type { BrokerHarness, QueueUnderTest } from "./broker-contract.ts";
import { testCodec } from "./facts/ground.ts";

/** A real memcached, on a connection for every owner. */
export const memcachedHarness: BrokerHarness = {
  name: "memcached",
  ...(noMemcached !== undefined && { unavailable: noMemcached }),
  setUp: async () => {
    const { host, port } = await sharedServer();
    return new QueueOnTrial(() => openMemjsWire({ server: { host, port } }));
  },
};

/** The same without a server: what memcached does is done in this process. */
export const fakeMemcachedHarness: BrokerHarness = {
  name: "memcached (in this process)",
  setUp: () => {
    const clock = { now: (): number => Date.now() };
    const server = new FakeMemcached(clock.now);
    return Promise.resolve(new QueueOnTrial(() => server.wire()));
  },
};

let shared: Promise<MemcachedServer> | undefined;

/** One server for all tests of this process: every queue has its own name. It ends with the process. */
function sharedServer(): Promise<MemcachedServer> {
  return (shared ??= startMemcached(["-m", "256", "-M"]));
}

/** An owner, and what the harness has to know to end its lease. */
interface Seat {
  readonly broker: Broker;
  readonly wire: WatchedWire;
}

class QueueOnTrial implements QueueUnderTest {
  readonly #connect: () => Wire;
  readonly #admin: Wire;
  readonly #name = `trial ${randomName(8)}`;
  readonly #memory = mkdtempSync(join(tmpdir(), "memq-trial-"));
  readonly #clock = new TrialClock();
  readonly #beats = new Map<string, number>();
  readonly #seats: Seat[] = [];

  constructor(connect: () => Wire) {
    this.#connect = connect;
    this.#admin = connect();
  }

  open: QueueUnderTest["open"] = (options) => {
    const wire = new WatchedWire(this.#connect(), this.#clock, this.#beats);
    const broker = openMemcachedBroker({
      wire,
      queue: this.#name,
      codec: options?.codec ?? testCodec,
      memory: this.#memory,
      clock: this.#clock,
      elapsedMs: () => this.#clock.now(),
    });
    this.#seats.push({ broker, wire });
    return Promise.resolve(broker);
  };

  async kill(owner: Broker): Promise<void> {
    const at = this.#seats.findIndex(({ broker }) => broker === owner);
    const [seat] = this.#seats.splice(at, 1);
    seat?.wire.close();
    await this.#end(seat?.wire.beats ?? []);
  }

  lapse(owner: Broker): Promise<void> {
    return this.#end(this.#seats.find(({ broker }) => broker === owner)?.wire.beats ?? []);
  }

  async advance(ms: number): Promise<void> {
    this.#clock.advance(ms);
    await this.#end([...this.#beats].filter(([, at]) => at <= this.#clock.now()).map(([key]) => key));
  }

  now(): number {
    return this.#clock.now();
  }

  async corrupt(id: string, text: string): Promise<void> {
    const keys = keysOf(this.#name);
    const [control] = await this.#admin.batch([{ kind: "get", key: keys.control }]);
    const block = control?.kind === "ok" ? decodeControl(control.value ?? Buffer.alloc(0)) : undefined;
    if (block?.kind !== "control") throw new Error("the queue has no control block");
    for (const name of [id, keyedNameOf(id) ?? "", memberOf(id)?.bundle ?? ""]) {
      const key = keys.record(block.control.epoch, name);
      const [read] = await this.#admin.batch([{ kind: "get", key }]);
      if (read?.kind !== "ok") continue;
      const record = decodeRecord(read.value ?? Buffer.alloc(0));
      if (record.kind !== "record") throw new Error("it is corrupt already");
      const index = record.record.bundled ? (memberOf(id)?.index ?? 0) : 0;
      const members = record.record.members.map((member, at) =>
        at === index ? { ...member, text } : member,
      );
      const value = encodeRecord({ ...record.record, members });
      await this.#admin.batch([{ kind: "replace", key, value, cas: read.cas }]);
    }
  }

  async tearDown(): Promise<void> {
    for (const { broker } of this.#seats) await broker.close();
    this.#admin.close();
    rmSync(this.#memory, { recursive: true });
  }

  async #end(beats: readonly string[]): Promise<void> {
    for (const key of beats) this.#beats.delete(key);
    await this.#admin.batch(beats.map((key) => ({ kind: "delete", key })));
  }
}

/** Knows which heartbeats its owner has, and until when by the clock of the trial; tells its time as the server's. */
class WatchedWire implements Wire {
  readonly #wire: Wire;
  readonly #clock: Clock;
  readonly #ends: Map<string, number>;
  readonly #mine = new Set<string>();

  constructor(wire: Wire, clock: Clock, ends: Map<string, number>) {
    this.#wire = wire;
    this.#clock = clock;
    this.#ends = ends;
  }

  get server(): string {
    return this.#wire.server;
  }

  get beats(): readonly string[] {
    return [...this.#mine];
  }

  async batch(operations: readonly Operation[]): Promise<readonly Answer[]> {
    const answers = await this.#wire.batch(operations);
    for (const [at, operation] of operations.entries()) {
      if (answers[at]?.kind !== "ok" || !("ttlSeconds" in operation)) continue;
      if (operation.kind === "add") this.#mine.add(operation.key);
      this.#ends.set(operation.key, this.#clock.now() + (operation.ttlSeconds ?? 0) * 1_000);
    }
    return answers;
  }

  async stats(group: Parameters<Wire["stats"]>[0]): Promise<ReadonlyMap<string, string>> {
    const stats = new Map(await this.#wire.stats(group));
    return stats.set("time", String(Math.floor(this.#clock.now() / 1_000)));
  }

  close(): void {
    this.#wire.close();
  }
}

/** Stands still until it is advanced; whoever waits is woken by that, or after as much real time. */
class TrialClock implements Clock {
  #now = Date.UTC(2026, 0, 1);
  readonly #sleepers = new Set<() => void>();

  now(): number {
    return this.#now;
  }

  upMs(): number {
    return this.#now;
  }

  advance(ms: number): void {
    this.#now += ms;
    for (const wake of [...this.#sleepers]) wake();
  }

  until(atMs: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (atMs <= this.#now || signal?.aborted === true) {
        resolve();
        return;
      }
      const wake = (): void => {
        this.#sleepers.delete(wake);
        clearTimeout(timer);
        signal?.removeEventListener("abort", wake);
        resolve();
      };
      const timer = setTimeout(wake, Math.min(atMs - this.#now, 60_000));
      this.#sleepers.add(wake);
      signal?.addEventListener("abort", wake);
    });
  }
}
