/** Cron's next tick after a time, both in ms since 1970. */
export type NextTick = (afterMs: number) => Promise<number>;

/**
 * The ticks of a cadence: a duration counts from the beginning of each multiple of it since 1970, a cron
 * expression is read in the machine's time zone. The calendar is loaded when it is first asked.
 */
export function ticksOf(every: number | string): NextTick {
  if (typeof every === "number") return (afterMs) => Promise.resolve(nextMultiple(every, afterMs));
  return async (afterMs) => {
    const { Cron } = await import("croner");
    return new Cron(every).nextRun(new Date(afterMs))?.getTime() ?? Infinity;
  };
}

const nextMultiple = (ms: number, afterMs: number): number => (Math.floor(afterMs / ms) + 1) * ms;
