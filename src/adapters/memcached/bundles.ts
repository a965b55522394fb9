import type { Draft } from "../../task/task.ts";

/** A draft that was encoded, and its place in the batch. */
export interface Encoded {
  readonly place: number;
  readonly draft: Draft;
  readonly body: string;
  /** Second of the server's time; 0 = at once. */
  readonly due: number;
}

// A record is read and written whole; larger ones gain nothing, and their slab class is shared by few.
const MOST_BUNDLE_CHARS = 16_000;

/** Most tasks in one record. */
export const MOST_BUNDLED = 256;

/**
 * The drafts that share a record: up to `size` neighbours that may all be run at once and have no key. Every
 * draft is in exactly one group, and the groups are in the order of the drafts.
 */
export function bundlesOf(drafts: readonly Encoded[], size: number): readonly (readonly Encoded[])[] {
  const groups: Encoded[][] = [];
  let open: Encoded[] | undefined;
  let chars = 0;
  for (const draft of drafts) {
    if (!isPlain(draft)) {
      groups.push([draft]);
      open = undefined;
      continue;
    }
    chars += draft.body.length;
    if (open === undefined || open.length >= size || chars > MOST_BUNDLE_CHARS) {
      open = [];
      groups.push(open);
      chars = draft.body.length;
    }
    open.push(draft);
  }
  return groups;
}

/** Without a key and without a delay. */
export const isPlain = ({ draft, due }: Encoded): boolean => draft.key === undefined && due === 0;
