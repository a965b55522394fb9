import { MemqError } from "../errors.ts";

const UNIT_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};
const PARTS = /^(?:\d+(?:\.\d+)?(?:ms|s|m|h|d))+$/;
const PART = /(\d+(?:\.\d+)?)(ms|s|m|h|d)/g;

// A century: longer is a slip of the hand, and keeps every sum of times exact.
const MAX_DURATION_MS = 100 * 365 * 86_400_000;

/** Milliseconds of a duration such as `90s`, `20m`, `1h30m` or `1.5h`; undefined when it is none. */
export function parseDuration(text: string): number | undefined {
  if (!PARTS.test(text)) return undefined;
  let ms = 0;
  for (const [, amount, unit] of text.matchAll(PART)) ms += Number(amount) * (UNIT_MS[unit ?? ""] ?? 0);
  return ms <= MAX_DURATION_MS ? Math.round(ms) : undefined;
}

/** Whether a text would be a duration if it were not longer than a century. */
export const isLongDuration = (text: string): boolean =>
  PARTS.test(text) && parseDuration(text) === undefined;

/** Milliseconds of a number (taken as ms) or a duration text. @throws ARGS_INVALID when it is neither. */
export function durationMs(value: number | string): number {
  const ms = typeof value === "string" ? parseDuration(value) : value;
  // Plain JavaScript can pass anything.
  if (typeof ms === "number" && ms >= 0 && ms <= MAX_DURATION_MS) return ms;
  const what = typeof value === "string" ? JSON.stringify(value) : String(value);
  throw new MemqError("ARGS_INVALID", `${what} is not a duration (try 60s or 5m${hintAt(ms)})`, {
    next: "Correct the time that is named; the call itself is fine.",
  });
}

/** A number that is none has its reason. */
const hintAt = (ms: unknown): string =>
  typeof ms === "number" ? ", or a number of ms from 0 to a hundred years: every time ends" : "";

/** A duration for people: the two largest units, `1h 30m`, `12s`, `340ms`. */
export function formatDuration(ms: number): string {
  if (ms < 1_000) return `${String(Math.round(ms))}ms`;
  if (ms < 9_950) return `${(ms / 1_000).toFixed(1)}s`;
  const parts: string[] = [];
  let rest = Math.round(ms / 1_000) * 1_000;
  for (const unit of ["d", "h", "m", "s"]) {
    const size = UNIT_MS[unit] ?? 1;
    if (rest >= size && parts.length < 2) parts.push(`${String(Math.floor(rest / size))}${unit}`);
    rest %= size;
  }
  return parts.join(" ");
}
