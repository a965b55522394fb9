/** Time as the core sees it: real in commands, virtual in tests. Times are ms since 1970. */
export interface Clock {
  now(): number;
  /** How long something has gone on, in ms since any time: it neither jumps nor goes back when the time is set. */
  upMs(): number;
  /**
   * Resolves at `atMs`, or at once when `signal` is or becomes aborted. Where the time is set back meanwhile it takes
   * no longer than it would have: whoever waits for something looks again. Never rejects.
   */
  until(atMs: number, signal?: AbortSignal): Promise<void>;
}

/** The most that setTimeout takes, in ms: with more it fires at once. A longer wait is made of several. */
export const MAX_TIMER_MS = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => Date.now(),
  upMs: () => performance.now(),
  until: async (atMs, signal) => {
    const endsAt = performance.now() + atMs - Date.now();
    const left = (): number => Math.min(atMs - Date.now(), endsAt - performance.now());
    for (let ms = left(); ms > 0 && signal?.aborted !== true; ms = left()) {
      await pause(Math.min(ms, MAX_TIMER_MS), signal);
    }
  },
};

function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal?.addEventListener("abort", end);
  });
}
