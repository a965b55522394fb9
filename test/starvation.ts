import { onTestFinished } from "vitest";
import { cpuMs } from "./cpu-time.ts";

const EVERY_MS = 10;

/**
 * Begins to look at how late this process's timers are; the answer tells for how long, in ms. That is what a busy machine
 * gave to others, and a bound on time may be as much higher: what this process itself was busy with does not count.
 */
export function starvation(): () => number {
  let lostMs = 0;
  let [at, cpu] = [performance.now(), cpuMs()];
  const look = (): void => {
    const [nowMs, nowCpu] = [performance.now(), cpuMs()];
    lostMs += Math.max(0, nowMs - at - (nowCpu - cpu) - 2 * EVERY_MS);
    [at, cpu] = [nowMs, nowCpu];
  };
  const looking = setInterval(look, EVERY_MS);
  onTestFinished(() => {
    clearInterval(looking);
  });
  return () => {
    look();
    return lostMs;
  };
}
