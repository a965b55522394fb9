import { counted } from "./printable.ts";
import type { Answer } from "./queues.ts";

/** The sum over queues. */
export const total = (counts: readonly Answer<number>[]): number =>
  counts.reduce((sum, { value }) => sum + value, 0);

/** `12 dead letters of queue push`; `12 dead letters (3 of queue default, 9 of queue push)`. */
export function totalText(counts: readonly Answer<number>[], noun: string): string {
  const text = counted(total(counts), noun);
  const [only] = counts;
  if (only !== undefined && counts.length === 1) return `${text} of queue ${only.queue.name}`;
  return `${text} (${counts.map(({ queue, value }) => `${String(value)} of queue ${queue.name}`).join(", ")})`;
}
