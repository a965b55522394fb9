import type { Loss } from "../ports/broker.ts";

/** A loss in words: `at least 12 tasks were lost (eviction)`. A queue that is gone may have been empty. */
export function lossText({ atLeast, cause }: Loss): string {
  if (atLeast === undefined) return `an unknown number of tasks, perhaps none, were lost (${cause})`;
  return `at least ${String(atLeast)} ${atLeast === 1 ? "task was" : "tasks were"} lost (${cause})`;
}
