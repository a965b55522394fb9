import type { Broker } from "../ports/broker.ts";
import type { Clock } from "../ports/clock.ts";

// A broker whose wait ends at once again and again, for something that this owner cannot claim, is asked less and
// less often. Once is nothing: another owner was faster.
const SHORTEST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 1_000;

/** What a rest works with. */
export interface RestParts {
  readonly broker: Pick<Broker, "wait">;
  readonly clock: Clock;
}

/** Waits for something to claim; one rest at a time. */
export class Rest {
  readonly #parts: RestParts;
  #waking: AbortController | undefined;
  /** How many rests in a row have ended at once, and brought nothing. */
  #fruitless = 0;

  constructor(parts: RestParts) {
    this.#parts = parts;
  }

  /** Resolves when there may be something to claim, after `mostMs`, or when it is woken. */
  async take(mostMs: number): Promise<void> {
    const { broker, clock } = this.#parts;
    const { signal } = (this.#waking = new AbortController());
    const pauseMs = pauseAfter(this.#fruitless);
    if (pauseMs > 0) await clock.until(clock.now() + pauseMs, signal);
    const startedAtMs = clock.now();
    if (!signal.aborted) await broker.wait(startedAtMs + mostMs, signal);
    this.#waking = undefined;
    this.#fruitless = clock.now() - startedAtMs < SHORTEST_PAUSE_MS ? this.#fruitless + 1 : 0;
  }

  /** The rest under way ends at once. */
  wake(): void {
    this.#waking?.abort();
  }

  /** Something could be claimed: the next rest need not begin with a pause. */
  wasWorthIt(): void {
    this.#fruitless = 0;
  }
}

const pauseAfter = (fruitless: number): number =>
  fruitless < 2 ? 0 : Math.min(SHORTEST_PAUSE_MS * 2 ** (fruitless - 2), LONGEST_PAUSE_MS);
