import { schedule, setLogger } from "node-cron";

// A step of the clock can make node-cron wait for hours; a timer goes by a clock that nobody sets.
const WATCHDOG_MS = 45_000;

/**
 * Calls `tick` at every full minute, and once more in between. Who is called decides by the time what is due.
 * Keeps the process alive until the function it answers is called.
 */
export function everyMinute(tick: () => void): () => void {
  setLogger({ info: ignore, warn: ignore, error: ignore, debug: ignore }); // stderr is for what matters
  const task = schedule("* * * * *", tick, { timezone: "UTC", noOverlap: true, suppressMissedWarning: true });
  const watchdog = setInterval(tick, WATCHDOG_MS);
  return () => {
    void task.destroy();
    clearInterval(watchdog);
  };
}

const ignore = (): void => undefined;
