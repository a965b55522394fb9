const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** A span for people who want to know about how much: `40 s`, `12 min`, `5 h`, `3 days`. */
export function roughly(ms: number): string {
  if (ms < MINUTE_MS) return `${String(Math.max(1, Math.round(ms / 1_000)))} s`;
  if (ms < 90 * MINUTE_MS) return `${String(Math.round(ms / MINUTE_MS))} min`;
  if (ms < 36 * HOUR_MS) return `${String(Math.round(ms / HOUR_MS))} h`;
  return `${String(Math.round(ms / DAY_MS))} days`;
}
