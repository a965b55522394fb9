import type { RoomNeed, ServerStats } from "../ports/examination.ts";
import { numberOf, sizeText } from "./server-stats.ts";
import { classesOf, type SlabClass } from "./slab-class.ts";
import { ok, warn, type Verdict } from "./verdict.ts";

// memcached hands out memory in pages of 1 MB; less than this is not worth a word.
const PAGE_BYTES = 1_048_576;
const GROWTH = 1.25; // from one class to the next

/**
 * Judges whether everything a queue keeps finds room. memcached binds memory to sizes: a server that had many
 * small tasks may refuse large ones while most of it is empty.
 */
export function judgeRoom(stats: ServerStats, needs: readonly RoomNeed[]): Verdict | undefined {
  const limit = numberOf(stats.general, "limit_maxbytes");
  const bound = numberOf(stats.slabs, "total_malloced");
  if (limit === undefined || bound === undefined) return undefined;
  const pool = (numberOf(stats.general, "slab_global_page_pool") ?? 0) * PAGE_BYTES;
  const unbound = Math.max(0, limit - bound) + pool;
  if (unbound >= PAGE_BYTES) return ok("room", `${sizeText(unbound)} are free for tasks of any size`);
  const classes = classesOf(stats.slabs);
  const idle = classes.reduce((sum, { free, chunkBytes }) => sum + free * chunkBytes, 0);
  const tight = needs.filter(({ bytes }) => (classFor(classes, bytes)?.free ?? 0) === 0);
  if (tight.length === 0) return ok("room", spareText(idle, { limit, bound }));
  // That it is full is said elsewhere; this is about memory that is there, and of no use.
  if (idle < PAGE_BYTES) return undefined;
  return warn("room", {
    says: `${sizeText(idle)} are free, but bound to items of other sizes: there is no room for ${tight.map(({ what }) => what).join(", nor for ")}`,
    fix: "start it with -o slab_automove_window=3, which gives memory back within seconds; never send `slabs reassign`",
  });
}

/** With a small -m it gives every size a page all the same: more than it may have, as `memory` counts. */
const spareText = (
  idle: number,
  { limit, bound }: { readonly limit: number; readonly bound: number },
): string =>
  bound > limit
    ? `every size has room left, in pages that it set aside beyond its ${sizeText(limit)}`
    : `${sizeText(idle)} are free, some of it for every size`;

/** The class that such an item goes to; undefined: it has no memory yet. */
const classFor = (classes: readonly SlabClass[], bytes: number): SlabClass | undefined =>
  classes.find(({ chunkBytes }) => chunkBytes >= bytes && chunkBytes < bytes * GROWTH);
