import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Processes } from "../../src/adapters/embedded/owner.ts";
import { sqliteDriver } from "../../src/adapters/embedded/sqlite.ts";
import { openEmbeddedStore, type EmbeddedStore } from "../../src/adapters/embedded/store.ts";
import type { ProcessIdentity } from "../../src/host/process-identity.ts";
import type { Broker } from "../../src/ports/broker.ts";
import type { Clock } from "../../src/ports/clock.ts";
import type { Codec } from "../../src/task/codec.ts";
import type { BrokerHarness, QueueUnderTest } from "./broker-contract.ts";
import { testCodec } from "./facts/ground.ts";

/** Real time, and a jump whenever a test lets time pass. */
export class JumpingClock implements Clock {
  readonly #jumped = new EventTarget();
  #aheadMs = 0;

  now(): number {
    return Date.now() + this.#aheadMs;
  }

  upMs(): number {
    return performance.now();
  }

  jump(ms: number): void {
    this.#aheadMs += ms;
    this.#jumped.dispatchEvent(new Event("jump"));
  }

  until(atMs: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      let timer: NodeJS.Timeout | undefined;
      const look = (): void => {
        clearTimeout(timer);
        const leftMs = atMs - this.now();
        if (leftMs > 0 && signal?.aborted !== true) {
          timer = setTimeout(look, Math.min(leftMs, 60_000));
          return;
        }
        this.#jumped.removeEventListener("jump", look);
        signal?.removeEventListener("abort", look);
        resolve();
      };
      this.#jumped.addEventListener("jump", look);
      signal?.addEventListener("abort", look);
      look();
    });
  }
}

/** Every owner is a process of another host, which is seen to live or not only when a test says so. */
class Hosts {
  readonly #dead = new Set<number>();

  processes(pid: number): Processes {
    const self: ProcessIdentity = { host: "elsewhere", realm: "", pid, startedAt: "1" };
    return {
      self: () => self,
      livenessOf: (who) => (this.#dead.has(who.pid) ? "dead" : "unknown"),
      upMs: () => 0, // nobody is seen to run
    };
  }

  kill(pid: number): void {
    this.#dead.add(pid);
  }
}

interface OpenOwner {
  readonly pid: number;
  readonly store: EmbeddedStore;
}

export class EmbeddedQueue implements QueueUnderTest {
  readonly folder = join(mkdtempSync(join(tmpdir(), "memq-embedded-")), "store");
  readonly clock = new JumpingClock();
  readonly #hosts = new Hosts();
  readonly #owners = new Map<Broker, OpenOwner>();
  #nextPid = 1;

  open(options: { codec?: Codec } = {}): Promise<Broker> {
    const pid = this.#nextPid++;
    const store = openEmbeddedStore({
      folder: this.folder,
      clock: this.clock,
      processes: this.#hosts.processes(pid),
    });
    const broker = store.queue("contract", { codec: testCodec, ...options });
    this.#owners.set(broker, { pid, store });
    return Promise.resolve(broker);
  }

  /** Owners of other queues in the same store, over one connection. */
  openQueues(...names: string[]): Promise<Broker[]> {
    const pid = this.#nextPid++;
    const store = openEmbeddedStore({
      folder: this.folder,
      clock: this.clock,
      processes: this.#hosts.processes(pid),
    });
    const brokers = names.map((name) => store.queue(name, { codec: testCodec }));
    for (const broker of brokers) this.#owners.set(broker, { pid, store });
    return Promise.resolve(brokers);
  }

  async closeStoreOf(owner: Broker): Promise<void> {
    await this.#owners.get(owner)?.store.close();
  }

  kill(owner: Broker): Promise<void> {
    this.#hosts.kill(this.#pidOf(owner));
    return Promise.resolve();
  }

  lapse(owner: Broker): Promise<void> {
    this.sql("UPDATE holder SET lease_ends_at = 0, blocked_until = 0 WHERE pid = ?", this.#pidOf(owner));
    return Promise.resolve();
  }

  advance(ms: number): Promise<void> {
    this.clock.jump(ms);
    return Promise.resolve();
  }

  now(): number {
    return this.clock.now();
  }

  corrupt(id: string, text: string): Promise<void> {
    this.sql("UPDATE task SET body = ? WHERE id = ?", text, Number(id.split("-")[1]));
    return Promise.resolve();
  }

  /** Whatever a test did, the store must be sound: an unsound one fails the test. */
  async tearDown(): Promise<void> {
    try {
      for (const { store } of this.#owners.values()) await store.close();
      if (existsSync(join(this.folder, "store.db"))) this.assertSound();
    } finally {
      rmSync(join(this.folder, ".."), { recursive: true });
    }
  }

  /** The counters are what counting gives, and every running task has its holder. */
  assertSound(): void {
    const counters = "waiting, delayed, running, dead";
    const held =
      "EXISTS (SELECT 1 FROM held_range AS r WHERE r.queue = task.queue AND task.id BETWEEN r.first AND r.last)";
    const states = ["0", "1", "2", "3"].map(
      (state) => `coalesce(sum(iif(state = 0 AND ${held}, 2, state) = ${state}), 0)`,
    );
    const counted = this.sql(
      `SELECT queue.id, ${counters}, ${states.join(" || ',' || ")} AS counted FROM queue
       LEFT JOIN task ON task.queue = queue.id GROUP BY queue.id`,
    );
    for (const row of counted) {
      const kept = [row["waiting"], row["delayed"], row["running"], row["dead"]].join(",");
      if (kept !== row["counted"])
        throw new Error(`counters say ${kept}, tasks say ${String(row["counted"])}`);
    }
    const stray = this.sql(
      "SELECT id FROM task WHERE (state = 2) <> (holder IS NOT NULL AND holder IN (SELECT id FROM holder))",
    );
    if (stray.length > 0) throw new Error(`tasks without their holder: ${JSON.stringify(stray)}`);
    const ownerless = this.sql("SELECT * FROM held_range WHERE holder NOT IN (SELECT id FROM holder)");
    if (ownerless.length > 0) throw new Error(`ranges without their holder: ${JSON.stringify(ownerless)}`);
    const [check] = this.sql("PRAGMA integrity_check");
    if (check?.["integrity_check"] !== "ok") throw new Error(JSON.stringify(check));
  }

  /** The rows of one statement, on a connection of its own. */
  sql(statement: string, ...values: (string | number | null)[]): Record<string, unknown>[] {
    const database = sqliteDriver().open(join(this.folder, "store.db"));
    try {
      return database.prepare(statement).all(...values) as Record<string, unknown>[];
    } finally {
      database.close();
    }
  }

  #pidOf(owner: Broker): number {
    return this.#owners.get(owner)?.pid ?? 0;
  }
}

export const embeddedHarness: BrokerHarness = {
  name: "embedded",
  setUp: () => Promise.resolve(new EmbeddedQueue()),
};
