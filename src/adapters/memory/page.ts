import { MAX_BATCH } from "../../ports/broker.ts";
import type { PageRequest } from "../../ports/broker.ts";
import { positionOf } from "./entry.ts";
import type { Entry } from "./entry.ts";

/** The page of `entries` (in their order) that was asked for, and where the next one begins. */
export function pageOf(
  entries: readonly Entry[],
  request: PageRequest,
): { readonly shown: readonly Entry[]; readonly next?: string } {
  const left = entries.filter((entry) => request.after === undefined || isAfter(entry, request.after));
  const shown = left.slice(0, Math.min(request.limit, MAX_BATCH));
  const last = shown.at(-1);
  const isEnd = last === undefined || shown.length === left.length;
  return { shown, ...(!isEnd && { next: positionOf(last).join(",") }) };
}

// A place in the order, not a count: tasks may come and go between two pages.
function isAfter(entry: Entry, cursor: string): boolean {
  const [at, seq] = positionOf(entry);
  const [cursorAt = 0, cursorSeq = 0] = cursor.split(",").map(Number);
  return at > cursorAt || (at === cursorAt && seq > cursorSeq);
}
