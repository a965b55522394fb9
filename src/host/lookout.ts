import type { Bell } from "./bell.ts";

/** The clock's part that waiting needs. */
interface Waits {
  now(): number;
  upMs(): number;
  until(atMs: number, signal?: AbortSignal): Promise<void>;
}

/** How long to look out, and what calls for a look. */
export interface Lookout {
  /** Undefined: nothing on this host can tell. */
  readonly bell: Pick<Bell, "listen"> | undefined;
  readonly clock: Waits;
  readonly untilMs: number;
  readonly signal: AbortSignal;
  /** The first wait between two looks nobody called for, in ms; each is twice as long as the one before, up to `slowestMs`. */
  readonly fastestMs: number;
  readonly slowestMs: number;
}

// Of the time; where much is looked at, and the bell rings often, looking must not take all of it.
const IDLE_PER_LOOK = 2;

/**
 * Looks at every ring of the bell, and by itself at growing intervals. Resolves with the first answer of `look`, or
 * with undefined at `untilMs` or when the signal is aborted; at least one look was taken then.
 */
export async function lookOut<T>(look: () => Promise<T | undefined>, out: Lookout): Promise<T | undefined> {
  const { bell, clock, untilMs, signal, fastestMs, slowestMs } = out;
  // By time that passes: a clock that is set meanwhile makes the wait neither longer nor shorter.
  const endsAtUpMs = clock.upMs() + untilMs - clock.now();
  const within = (ms: number): number => clock.now() + Math.min(ms, endsAtUpMs - clock.upMs());
  const nap = new Nap(clock);
  signal.addEventListener("abort", nap.wake);
  // Listening begins before looking: what happens in between is heard.
  const stopListening = bell?.listen(nap.wake);
  try {
    for (let gapMs = fastestMs; ; gapMs = Math.min(gapMs * 2, slowestMs)) {
      nap.begin();
      const startedAtMs = performance.now();
      const seen = await look();
      if (signal.aborted || clock.upMs() >= endsAtUpMs) return seen;
      const restMs = IDLE_PER_LOOK * (performance.now() - startedAtMs);
      // Also after an answer: whoever waits for others still asks again at once, and would look all the time.
      if (restMs >= 1) await clock.until(within(restMs), signal);
      if (seen !== undefined) return seen;
      await nap.until(within(gapMs));
    }
  } finally {
    stopListening?.();
    signal.removeEventListener("abort", nap.wake);
  }
}

/** Sleep that can be cut short, also by what happened since it was meant to begin. */
class Nap {
  readonly #clock: Waits;
  #over = new AbortController();

  constructor(clock: Waits) {
    this.#clock = clock;
  }

  readonly wake = (): void => {
    this.#over.abort();
  };

  begin(): void {
    this.#over = new AbortController();
  }

  until(atMs: number): Promise<void> {
    return this.#clock.until(atMs, this.#over.signal);
  }
}
