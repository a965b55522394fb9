import type { StoredQueue } from "./stored-queue.ts";

/** Notes that tasks were taken away undone: each by the number of its bulk, null for those of none. */
export function countRemoved({ connection }: StoredQueue, bulks: readonly (number | null)[]): void {
  const counts = new Map<number, number>();
  for (const bulk of bulks) if (bulk !== null) counts.set(bulk, (counts.get(bulk) ?? 0) + 1);
  for (const [bulk, count] of counts) {
    connection.run("UPDATE bulk SET removed = removed + ? WHERE id = ?", count, bulk);
  }
}
