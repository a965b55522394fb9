import type { BulkState } from "../../ports/bulks.ts";
import type { Entry } from "./entry.ts";

interface StoredBulk extends BulkState {
  readonly removed: number;
}

/** How far the bulks of a queue in memory are. */
export class BulkShelf {
  readonly #bulks = new Map<string, StoredBulk>();

  get(name: string): StoredBulk | undefined {
    return this.#bulks.get(name);
  }

  put(name: string, bulk: StoredBulk): void {
    this.#bulks.set(name, bulk);
  }

  /** A task was taken away undone. */
  removed({ bulk: name }: Entry): void {
    const bulk = name === undefined ? undefined : this.#bulks.get(name);
    if (name !== undefined && bulk !== undefined) this.put(name, { ...bulk, removed: bulk.removed + 1 });
  }
}
