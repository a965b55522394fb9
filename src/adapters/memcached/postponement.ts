import type { Clock } from "../../ports/clock.ts";

// What there was no memory for is left for a while: other runs and cancelled tasks may make room.
const FULL_PAUSE_MS = 100;
const MOST_PAUSES = 50;

/** The stakes for whose work there was no memory in one claim: what can be run goes first, and makes room. */
export class Postponement {
  readonly #clock: Clock;
  readonly #stakes = new Set<string>();
  #pauses = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** A claim begins: everything is tried. */
  begin(): void {
    this.#stakes.clear();
    this.#pauses = 0;
  }

  add(stakeId: string): void {
    this.#stakes.add(stakeId);
  }

  has(stakeId: string): boolean {
    return this.#stakes.has(stakeId);
  }

  get isEmpty(): boolean {
    return this.#stakes.size === 0;
  }

  /** Waits a little, then everything is tried again; false: it was tried often enough. */
  async pause(): Promise<boolean> {
    this.#stakes.clear();
    if (++this.#pauses > MOST_PAUSES) return false;
    await this.#clock.until(this.#clock.now() + FULL_PAUSE_MS);
    return true;
  }
}
