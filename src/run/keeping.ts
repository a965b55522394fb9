import type { Claim } from "../ports/broker.ts";
import type { Clock } from "../ports/clock.ts";
import type { Keep } from "../ports/results.ts";
import { encodeResult } from "../task/result.ts";

/** How results of a queue's tasks are kept. */
export interface KeepingParts {
  readonly clock: Clock;
  /** Of every task, in ms; undefined: only where somebody waits. */
  readonly resultsMs?: number | undefined;
  /** Of one result. */
  readonly maxResultBytes: number;
}

/** What is to be kept of a task that is done: for as long as its queue says, or whoever published it, whichever is longer. */
export function keepOf(
  { task, attempt }: Claim,
  { value, ms }: { readonly value: unknown; readonly ms: number },
  { clock, resultsMs = 0, maxResultBytes }: KeepingParts,
): Keep | undefined {
  const forMs = Math.max(task.resultMs ?? 0, resultsMs);
  if (forMs === 0) return undefined;
  return { forMs, text: encodeResult({ attempt, ms, at: clock.now() }, value, maxResultBytes) };
}
