import type { Loss } from "../ports/broker.ts";

/** A loss in words: `at least 12 tasks were lost (eviction)`. */
export function lossText({ atLeast, cause }: Loss): string {
  const count = atLeast === undefined ? "an unknown number of" : `at least ${String(atLeast)}`;
  return `${count} tasks were lost (${cause})`;
}
