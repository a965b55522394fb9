import { mkdtempSync, rmSync } from "node:fs";
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
    return { self: () => self, livenessOf: (who) => (this.#dead.has(who.pid) ? "dead" : "unknown") };
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

  open(options: { codec?: Codec; blockedMs?: number } = {}): Promise<Broker> {
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

  async tearDown(): Promise<void> {
    for (const { store } of this.#owners.values()) await store.close();
    rmSync(join(this.folder, ".."), { recursive: true });
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
