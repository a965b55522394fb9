import { MemqError } from "../../errors.ts";
import { MAX_BATCH } from "../../ports/broker.ts";

/** @throws MemqError BUG when more tasks come in one call than the port allows. */
export function assertBatch(verb: string, count: number): void {
  if (count <= MAX_BATCH) return;
  throw new MemqError(
    "BUG",
    `${verb} of ${String(count)} tasks in one call, the most is ${String(MAX_BATCH)}`,
  );
}
