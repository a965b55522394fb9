// How much work one note may cover: of all of its tasks it is known only that they may have been started.
const COVERED_MS = 1;
// A note costs some two microseconds: among so many tasks it is nothing.
const MOST = 64;
// Starts in quick succession, after which the next ones are taken to be quick as well.
const EVIDENCE = 64;

/**
 * How many starts an owner notes at once. Each one by itself, so that it is known exactly what a dead owner had
 * started; only tasks of a few microseconds, for which the notes would be much of the work, some at a time.
 */
export class Stride {
  readonly #now: () => number;
  #sinceMs = Number.NEGATIVE_INFINITY;
  /** What the tasks of the last note took before that. */
  #spentMs = 0;
  #last = 1;
  #quick = 0;

  /** @param now ms of a clock that never goes back */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** How many starts the next note may cover. `atOnce`: as many may be under way, and have shown nothing yet. */
  next(atOnce: number): number {
    const nowMs = this.#now();
    const eachMs = (this.#spentMs + nowMs - this.#sinceMs) / this.#last;
    this.#sinceMs = nowMs;
    this.#spentMs = 0;
    if (eachMs >= COVERED_MS) this.breakOff();
    if (this.#quick < Math.max(EVIDENCE, 2 * atOnce)) return 1;
    return Math.max(1, Math.min(MOST, this.#last * 2, Math.floor(COVERED_MS / eachMs)));
  }

  /** It covers so many. */
  noted(count: number): void {
    this.#last = count;
    this.#quick += count;
  }

  /** What follows is noted one by one, until there is evidence again. */
  breakOff(): void {
    this.#quick = 0;
  }

  /** The tasks have taken what there was since the last note: slow ones are settled one by one. */
  interrupt(): void {
    const nowMs = this.#now();
    this.#spentMs += nowMs - this.#sinceMs;
    this.#sinceMs = nowMs;
  }

  /** What was done since `interrupt`, such as claiming, is not the tasks' doing. */
  resume(): void {
    this.#sinceMs = this.#now();
  }
}
