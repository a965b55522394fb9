import type { Json } from "../task/task.ts";
import type { BulkItem } from "./publisher.ts";

/** What one batch may weigh: it is in memory several times over while it is being kept. */
export const MAX_BATCH_CHARS = 4_000_000;

const SMALL = 16; // a number, a key of an object, the braces around it
const MAX_DEPTH = 20; // deeper is refused or does not weigh

/** About how many characters an item takes when it is encoded. Never throws. */
export function weightOf(item: BulkItem): number {
  try {
    const { method, args } = item;
    return SMALL + method.length + valueWeight(args ?? [], 0);
  } catch {
    return SMALL; // it cannot even be looked at: encoding it says why
  }
}

function valueWeight(value: Json, depth: number): number {
  if (typeof value === "string") return value.length + 2;
  if (typeof value !== "object" || value === null || depth > MAX_DEPTH) return SMALL;
  let sum = SMALL;
  for (const part of Array.isArray(value) ? (value as readonly Json[]) : Object.values<Json>(value)) {
    sum += valueWeight(part, depth + 1);
    if (sum > MAX_BATCH_CHARS) break;
  }
  return sum;
}
