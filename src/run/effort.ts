/** What working on a queue took, in ms: in all, and how much of it this process had nothing to do. */
export interface Effort {
  readonly ms: number;
  readonly idleMs: number;
}

/** A run that did not work. */
export const NO_EFFORT: Effort = { ms: 0, idleMs: 0 };

/** Begins to measure; the answer ends it. A process that only waits for a processor counts as busy. */
export function beginEffort(): () => Effort {
  const before = performance.eventLoopUtilization();
  const startedAtMs = performance.now();
  return () => ({
    ms: performance.now() - startedAtMs,
    idleMs: performance.eventLoopUtilization(before).idle,
  });
}

/** Two stretches of work as one. */
export const together = (one: Effort, other: Effort): Effort => ({
  ms: one.ms + other.ms,
  idleMs: one.idleMs + other.idleMs,
});
