// So long others may take what this owner passes over.
const AVOID_MS = 30_000;

/**
 * The stakes with suspects that an owner leaves to others while it has something in hand. A busy one never has
 * empty hands by chance: after a while they are emptied on purpose.
 */
export class Avoidance {
  readonly #now: () => number;
  readonly #stakes = new Set<string>();
  #since: number | undefined;

  /** @param now in ms, of a clock that is never set */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** How many stakes were passed over by the last claim. */
  get count(): number {
    return this.#stakes.size;
  }

  /** A claim begins. */
  begin(): void {
    this.#stakes.clear();
  }

  avoid(stakeId: string): void {
    this.#stakes.add(stakeId);
  }

  avoids(stakeId: string): boolean {
    return this.#stakes.has(stakeId);
  }

  /** A claim ends that has looked at all there is. */
  end(): void {
    if (this.#stakes.size === 0) this.forget();
    else this.#since ??= this.#now();
  }

  /** Others have taken what was passed over. */
  forget(): void {
    this.#since = undefined;
  }

  /** Whether nothing else is to be taken until what is in hand is settled. */
  hasToLetGo(isAnyInHand: boolean): boolean {
    if (!isAnyInHand) this.forget();
    return this.#since !== undefined && this.#now() - this.#since >= AVOID_MS;
  }
}
