import type { BulkCount, BulkKept, Bulks, BulkState, BulkStep } from "../../ports/bulks.ts";
import { bulkTaken } from "../../ports/bulks.ts";
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

  publish(drafts: readonly Draft[], { name, expected, place }: BulkStep): Promise<BulkKept> {
    return new Promise((resolve) => {
      const before = this.#queue.bulks.get(name);
      if (before?.version !== expected) throw bulkTaken(name);
      const answers = drafts.map((draft) => keepDraft(this.#queue, this.#codec, { draft, bulk: name }));
      const { kept = 0, removed = 0 } = this.#queue.bulks.get(name) ?? {};
      const more = answers.filter(({ kind }) => kind === "kept").length;
      const version = String(this.#queue.nextNumber());
      this.#queue.bulks.put(name, { place: place(answers), version, kept: kept + more, removed });
      this.#queue.bell.ring();
      resolve({ answers, version });
    });
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
