import { cpuMs } from "./cpu-time.ts";

const EVERY_MS = 10;

/**
 * Begins to look at how late this process's timers are; what it answers ends that, and tells how late they were in all,
 * in ms. That is what a busy machine gave to others, and a bound on time may be as much higher. What this process was
 * busy with itself does not count.
 */
export function starvation(): () => number {
  let lostMs = 0;
  let [at, cpu] = [performance.now(), cpuMs()];
  const look = (): void => {
    const [nowMs, nowCpu] = [performance.now(), cpuMs()];
    lostMs += Math.max(0, nowMs - at - (nowCpu - cpu) - 2 * EVERY_MS);
    [at, cpu] = [nowMs, nowCpu];
  };
  const looking = setInterval(look, EVERY_MS).unref();
  return () => {
    clearInterval(looking);
    look();
    return lostMs;
  };
}
