import { MAX_BATCH } from "../ports/broker.ts";

// How much work one claim may hold: other runs find work too, and a killed one holds little.
const AHEAD_MS = 50;
// What would wait longer than this behind tasks that turned out slow is left to other runs.
const SURPLUS_MS = 5_000;
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

  /** What a task took lately, in ms; 0 before the first. */
  get meanMs(): number {
    return this.#meanMs ?? 0;
  }

  /** How many claimed tasks may wait for a lane; the others are better handed back. */
  get mostWaiting(): number {
    const fewest = SURPLUS_MS / (2 * MOST); // of one claim, and of the one ahead of it
    return Math.ceil((SURPLUS_MS * this.#concurrency) / Math.max(this.meanMs, fewest));
  }

  /** Whether as much as was claimed last may be claimed besides, with so many waiting: all of it is soon over. */
  hasRoomAhead(waiting: number): boolean {
    return (
      this.#meanMs !== undefined && (waiting + this.#last) * this.#meanMs <= AHEAD_MS * this.#concurrency
    );
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
