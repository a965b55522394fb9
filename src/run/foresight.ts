/** Cron's next tick after a time, both in ms since 1970. */
export type NextTick = (afterMs: number) => number;

/** When the next run will come, found out when a covering run has something to wait for, and not before. */
export class Foresight {
  readonly #load: () => Promise<NextTick | undefined>;
  #ticks: Promise<NextTick | undefined> | undefined;
  #isBlind = false;

  /** `load` answers undefined when nobody knows. */
  constructor(load: () => Promise<NextTick | undefined>) {
    this.#load = load;
  }

  /** The next tick; when nobody knows it, it is now: there is nothing to be covered. */
  readonly nextTick = async (afterMs: number): Promise<number> => {
    const ticks = await (this.#ticks ??= this.#load());
    this.#isBlind = ticks === undefined;
    return ticks?.(afterMs) ?? afterMs;
  };

  /** What is wrong with it, for people. */
  faults(): readonly string[] {
    if (!this.#isBlind) return [];
    return [
      "it did not wait for what falls due: when the next run starts is not known (set every, e.g. every = 10m)",
    ];
  }
}
