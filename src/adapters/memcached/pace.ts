// A mark costs a round trip of some 0.1 ms: nothing beside a task of a millisecond, everything beside a no-op.
const FAST_MS = 0.5;
const LONGEST_GAP_MS = 10; // one slow task among fast ones is forgotten soon
const WEIGHT = 0.2;
const MEASURED_OF_FAST = 8; // one in so many tells as much, and two looks at the clock take as long as a no-op

/**
 * How fast tasks are started, and so whether each start is put on record first. Then it is known exactly what a
 * dead owner had started. For tasks that take next to no time that would be most of the work: for them it is
 * known only that it was among the first so many.
 */
export class Pace {
  readonly #now: () => number;
  readonly #leastStarts: number;
  #starts = 0;
  #lastAt: number | undefined;
  #gapMs = LONGEST_GAP_MS;
  #gaps = 0;
  #peak = 0;

  /** @param now ms of a clock that never goes back */
  constructor(now: () => number, markedStarts: number) {
    this.#now = now;
    this.#leastStarts = markedStarts;
  }

  /** A start is asked for. */
  asked(): void {
    this.#starts += 1;
    if (this.#lastAt === undefined) return;
    const gap = Math.min(this.#now() - this.#lastAt, LONGEST_GAP_MS);
    this.#gaps += 1;
    // At first the mean of all, then more and more of the last ones.
    this.#gapMs += Math.max(WEIGHT, 1 / this.#gaps) * (gap - this.#gapMs);
  }

  /** It was answered: what happens from now on is not this broker's doing. @param started how many are by now */
  answered(started: () => number): void {
    this.#lastAt = undefined;
    if (this.#isFast && this.#starts % MEASURED_OF_FAST > 0) return;
    this.#lastAt = this.#now();
    this.#peak = Math.max(this.#peak, started());
  }

  /** How many tasks the next stake may start without a mark; 0: none. */
  loose(atOnce: number): number {
    return this.#isFast ? Math.max(atOnce, 2 * this.#peak) : 0;
  }

  get #isFast(): boolean {
    return this.#starts >= this.#leastStarts && this.#gapMs < FAST_MS;
  }
}
