/** What working on a queue took, in ms: of the clock, and of the processor. */
export interface Effort {
  readonly ms: number;
  readonly cpuMs: number;
}

/** A run that did not work. */
export const NO_EFFORT: Effort = { ms: 0, cpuMs: 0 };

/** Begins to measure; the answer ends it. The processor's time is that of the whole process. */
export function beginEffort(): () => Effort {
  const startedAtMs = performance.now();
  const before = process.cpuUsage();
  return () => {
    const { user, system } = process.cpuUsage(before);
    return { ms: performance.now() - startedAtMs, cpuMs: (user + system) / 1_000 };
  };
}

/** Two stretches of work as one. */
export const together = (one: Effort, other: Effort): Effort => ({
  ms: one.ms + other.ms,
  cpuMs: one.cpuMs + other.cpuMs,
});
