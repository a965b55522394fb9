const NS_PER_MS = 1_000_000n;

/** The time in ms on a clock that nobody sets, and that all processes of this boot of the host share. */
export const upMs = (): number => Number(process.hrtime.bigint() / NS_PER_MS);
