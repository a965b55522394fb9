import { MemqError } from "../errors.ts";

// As in the configuration; more lanes than tasks in a claim would only wait.
const MAX_CONCURRENCY = 1_000;

/** @throws MemqError USAGE */
export function assertConcurrency(concurrency: number): void {
  if (Number.isInteger(concurrency) && concurrency >= 1 && concurrency <= MAX_CONCURRENCY) return;
  throw new MemqError(
    "USAGE",
    `concurrency is a whole number from 1 to ${String(MAX_CONCURRENCY)}, not ${String(concurrency)}`,
  );
}
