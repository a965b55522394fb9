import type { Settlement } from "../../ports/broker.ts";
import { becomes } from "./entry.ts";
import type { Entry } from "./entry.ts";
import type { MemoryQueue } from "./queue.ts";
import type { MemoryResults } from "./results.ts";

/** Ends a held task, and keeps what is to be kept of it. */
export function endEntry(
  queue: MemoryQueue,
  entry: Entry,
  { outcome, keep, results }: Omit<Settlement, "claim"> & { readonly results: MemoryResults },
): void {
  const { shelf, clock } = queue;
  const now = clock.now();
  switch (outcome.kind) {
    case "done":
      shelf.remove(entry);
      if (keep !== undefined) results.keep(entry.id, keep);
      break;
    case "retry":
      // A time that has passed gives no place ahead of those who wait.
      shelf.put(becomes.delayed(entry, Math.max(outcome.at, now), outcome));
      break;
    case "dead":
      shelf.put(becomes.buried(entry, now, outcome.reason));
      break;
  }
  queue.results.ended(entry.id);
}
