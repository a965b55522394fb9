/** Time as the core sees it: real in commands, virtual in tests. Times are ms since 1970. */
export interface Clock {
  now(): number;
  /** How long something has gone on, in ms since any time: it neither jumps nor goes back when the time is set. */
  upMs(): number;
  /** Resolves at `atMs`, or at once when `signal` is or becomes aborted. Never rejects. */
  until(atMs: number, signal?: AbortSignal): Promise<void>;
}

/** The most that setTimeout takes, in ms: with more it fires at once. A longer wait is made of several. */
export const MAX_TIMER_MS = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => Date.now(),
  upMs: () => performance.now(),
  until: async (atMs, signal) => {
    for (let left = atMs - Date.now(); left > 0 && signal?.aborted !== true; left = atMs - Date.now()) {
      await pause(Math.min(left, MAX_TIMER_MS), signal);
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
