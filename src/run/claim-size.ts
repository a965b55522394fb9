import { MAX_BATCH } from "../ports/broker.ts";

// How much work one claim may hold: other runs find work too, and a killed one holds little.
const AHEAD_MS = 50;
// Beyond this a claim's cost is spread thin enough.
const MOST = 512;
// How much the last tasks count against those before.
const WEIGHT = 0.2;

/** How many tasks to claim at a time, learned from how long they take. */
export class ClaimSize {
  readonly #concurrency: number;
  #meanMs: number | undefined;
  #last = 0;

  constructor(concurrency: number) {
    this.#concurrency = concurrency;
  }

  /** No-op tasks: hundreds. Slow ones: as many as can run now. It at most doubles from claim to claim. */
  next(freeLanes: number): number {
    const aimed = this.#meanMs === undefined ? freeLanes : (AHEAD_MS / this.#meanMs) * this.#concurrency;
    const grown = Math.max(freeLanes, Math.min(aimed, Math.max(4, this.#last * 2)));
    this.#last = Math.max(1, Math.min(Math.floor(grown), MOST, MAX_BATCH));
    return this.#last;
  }

  taskEnded(ms: number): void {
    const seenMs = Math.max(ms, 0.001);
    this.#meanMs = this.#meanMs === undefined ? seenMs : this.#meanMs + WEIGHT * (seenMs - this.#meanMs);
  }
}
