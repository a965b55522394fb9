import type { BulkState } from "../../ports/bulks.ts";
import type { Draft } from "../../task/task.ts";
import type { Entry } from "./entry.ts";

/** A bulk as it stands. */
export interface StoredBulk extends BulkState {
  readonly removed: number;
  readonly then?: Draft | undefined;
  readonly ended: boolean;
  readonly concluded: boolean;
}

/** How far the bulks of a queue in memory are. */
export class BulkShelf {
  readonly #bulks = new Map<string, StoredBulk>();

  get(name: string): StoredBulk | undefined {
    return this.#bulks.get(name);
  }

  all(): readonly (readonly [string, StoredBulk])[] {
    return [...this.#bulks];
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
