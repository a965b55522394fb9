/**
 * `memq/testing`: a broker in memory and a clock that the test turns, for tests that want no disk, no
 * server and no waiting.
 */
import { MemoryBroker } from "./adapters/memory/broker.ts";
import { MemoryQueue } from "./adapters/memory/queue.ts";
import type { Broker } from "./ports/broker.ts";
import { systemClock } from "./ports/clock.ts";
import type { Clock } from "./ports/clock.ts";
import { plainCodec } from "./task/codec.ts";
import type { Codec } from "./task/codec.ts";

/** How a queue in memory is made; everything may be left out. */
export interface MemoryQueueOptions {
  /** The queue's name. Default "default". */
  readonly name?: string;
  /** Default: real time. */
  readonly clock?: Clock;
  /** Of one encoded task. Default 900 000. */
  readonly maxTaskBytes?: number;
}

/** A queue in memory that several owners share, as overlapping runs do. */
export interface TestQueue {
  /** Another owner: a publisher, a run. `codec`: instead of the plain one. */
  open(options?: { readonly codec?: Codec }): Broker;
  /** As if the owner's process had been killed, or had stalled past its lease: others may claim what it holds. */
  endLease(owner: Broker): void;
  /** Writes other text where the stored task stands, as a failing disk would. An unknown id changes nothing. */
  corrupt(id: string, text: string): void;
}

/** An empty queue in memory. It is gone with the process. */
export function memoryQueue(options: MemoryQueueOptions = {}): TestQueue {
  const queue = new MemoryQueue(options.name ?? "default", options.clock ?? systemClock);
  const plain = plainCodec(options.maxTaskBytes ?? 900_000);
  return {
    open: ({ codec = plain } = {}) => new MemoryBroker(queue, codec),
    endLease: (owner) => {
      if (owner instanceof MemoryBroker) queue.endLease(owner.owner);
    },
    corrupt: (id, text) => {
      queue.corrupt(id, text);
    },
  };
}

/** The only owner of an empty queue in memory. */
export const memoryBroker = (options: MemoryQueueOptions = {}): Broker => memoryQueue(options).open();

/** A clock that stands still until it is advanced. */
export interface VirtualClock extends Clock {
  /**
   * Lets `ms` pass: whoever waits until a time on the way is woken at that time, in order, and may do
   * what it does before time goes on.
   */
  advance(ms: number): Promise<void>;
}

// 2026-01-01T00:00:00Z: a full second, minute, hour and day, so that times in a test are easily read.
const START_MS = Date.UTC(2026, 0, 1);

/** A clock that starts at `startMs` (default: the first moment of 2026, UTC). */
export function virtualClock(startMs = START_MS): VirtualClock {
  let now = startMs;
  const sleepers = new Set<Sleeper>();
  return {
    now: () => now,
    upMs: () => now,
    until: (atMs, signal) =>
      new Promise((resolve) => {
        if (atMs <= now || signal?.aborted === true) {
          resolve();
          return;
        }
        const sleeper = { atMs, wake };
        function wake(): void {
          sleepers.delete(sleeper);
          signal?.removeEventListener("abort", wake);
          resolve();
        }
        sleepers.add(sleeper);
        signal?.addEventListener("abort", wake);
      }),
    advance: async (ms) => {
      const target = now + ms;
      for (let next = firstBy(sleepers, target); next !== undefined; next = firstBy(sleepers, target)) {
        now = Math.max(now, next.atMs);
        next.wake();
        await turn();
      }
      now = target;
      await turn();
    },
  };
}

interface Sleeper {
  readonly atMs: number;
  readonly wake: () => void;
}

function firstBy(sleepers: ReadonlySet<Sleeper>, targetMs: number): Sleeper | undefined {
  let first: Sleeper | undefined;
  for (const sleeper of sleepers) {
    if (sleeper.atMs <= targetMs && sleeper.atMs < (first?.atMs ?? Infinity)) first = sleeper;
  }
  return first;
}

/** Everything that can go on without time passing goes on. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
