import type { BulkCount, BulkKept, Bulks, BulkState, BulkStep } from "../../ports/bulks.ts";
import { bulkTaken } from "../../ports/bulks.ts";
import type { StoredBulk } from "./bulk-shelf.ts";
import type { Codec } from "../../task/codec.ts";
import type { Draft } from "../../task/task.ts";
import { keepDraft } from "./publishing.ts";
import type { MemoryQueue } from "./queue.ts";

/** The bulks of a queue in memory, for one owner. Nothing waits in between, so every step is atomic. */
export class MemoryBulks implements Bulks {
  readonly #queue: MemoryQueue;
  readonly #codec: Codec;

  constructor(queue: MemoryQueue, codec: Codec) {
    this.#queue = queue;
    this.#codec = codec;
  }

  resume(name: string): Promise<BulkState | undefined> {
    return Promise.resolve(this.#queue.bulks.get(name));
  }

  publish(drafts: readonly Draft[], step: BulkStep): Promise<BulkKept> {
    return new Promise((resolve) => {
      const { name, expected, place } = step;
      const before = this.#queue.bulks.get(name);
      if (before?.version !== expected) throw bulkTaken(name);
      const answers = drafts.map((draft) => keepDraft(this.#queue, this.#codec, { draft, bulk: name }));
      const { kept = 0, removed = 0 } = this.#queue.bulks.get(name) ?? {};
      const more = answers.filter(({ kind }) => kind === "kept").length;
      const version = String(this.#queue.nextNumber());
      const stand = { place: place(answers), version, kept: kept + more, removed };
      this.#queue.bulks.put(name, { ...stand, ...followed(step, before, more > 0) });
      this.#queue.bell.ring();
      resolve({ answers, version });
    });
  }

  conclude(): Promise<number> {
    return new Promise((resolve) => {
      let count = 0;
      for (const [name, bulk] of this.#queue.bulks.all()) {
        if (bulk.then === undefined || bulk.concluded || !bulk.ended || this.#isAnyLeft(name)) continue;
        keepDraft(this.#queue, this.#codec, { draft: bulk.then });
        this.#queue.bulks.put(name, { ...bulk, concluded: true });
        count++;
      }
      if (count > 0) this.#queue.bell.ring();
      resolve(count);
    });
  }

  #isAnyLeft(name: string): boolean {
    return [...this.#queue.shelf.all()].some(({ bulk, buriedAt }) => bulk === name && buriedAt === undefined);
  }

  count(name: string): Promise<BulkCount | undefined> {
    const bulk = this.#queue.bulks.get(name);
    if (bulk === undefined) return Promise.resolve(undefined);
    const { place, kept, removed } = bulk;
    const there = [...this.#queue.shelf.all()].filter((entry) => entry.bulk === name);
    const dead = there.filter(({ buriedAt }) => buriedAt !== undefined).length;
    const [left, done] = [there.length - dead, kept - removed - there.length];
    return Promise.resolve({ place, kept, removed, dead, left, done });
  }
}

/** What follows a bulk after a step; one that keeps more opens it again. */
const followed = (
  { then, isLast = false }: BulkStep,
  before: StoredBulk | undefined,
  keepsMore: boolean,
): Pick<StoredBulk, "then" | "ended" | "concluded"> => ({
  then: then ?? before?.then,
  ended: isLast,
  concluded: !keepsMore && before?.concluded === true,
});
