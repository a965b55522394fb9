import { MemqError } from "../../errors.ts";
import { isBusy } from "./store-fault.ts";

// Transactions take well under a millisecond; who is locked out this long is up against a hung process.
const GIVE_UP_MS = 10_000;
// Up to here (about 10 ms) the thread itself waits: a timer would more than double a short wait.
const BLOCKING_TRIES = 16;
// SQLite's own waiting grows with every try, and starves whoever was unlucky twice.
const SHORTEST_PAUSE_MS = 0.1;
const PAUSE_SPREAD_MS = 1;

const never = new Int32Array(new SharedArrayBuffer(4));

/**
 * Tries until no other process is in the way. `attempt` must do all of its work or nothing.
 * @throws MemqError BUSY after ten seconds; what `attempt` throws otherwise.
 */
export async function whenFree<T>(attempt: () => T, store: string): Promise<T> {
  const startedAtMs = performance.now();
  for (let tries = 1; ; tries++) {
    try {
      return attempt();
    } catch (error) {
      if (!isBusy(error)) throw error;
      if (performance.now() - startedAtMs >= GIVE_UP_MS) throw stillBusy(store, error);
    }
    await pause(tries);
  }
}

async function pause(tries: number): Promise<void> {
  const ms = SHORTEST_PAUSE_MS + Math.random() * PAUSE_SPREAD_MS;
  if (tries <= BLOCKING_TRIES) Atomics.wait(never, 0, 0, ms);
  else await new Promise((resolve) => setTimeout(resolve, ms));
}

const stillBusy = (store: string, cause: unknown): MemqError =>
  new MemqError("BUSY", `store ${store} was locked by other processes for ${String(GIVE_UP_MS / 1_000)} s`, {
    cause,
  });
