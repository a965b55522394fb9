import type { TaskState } from "../../task/task.ts";
import { byPosition, stateOf } from "./entry.ts";
import type { Entry } from "./entry.ts";

/** The entries of a queue, by id and by key. */
export class Shelf {
  readonly #entries = new Map<string, Entry>();
  /** Ids of the unfinished entries that have a key. */
  readonly #keys = new Map<string, string>();

  get(id: string): Entry | undefined {
    return this.#entries.get(id);
  }

  all(): Iterable<Entry> {
    return this.#entries.values();
  }

  /** Those in one state, in their order. */
  in(state: TaskState, now: number): readonly Entry[] {
    return [...this.#entries.values()].filter((entry) => stateOf(entry, now) === state).sort(byPosition);
  }

  /** The unfinished entry with that key: at most one. */
  unfinished(key: string): Entry | undefined {
    const id = this.#keys.get(key);
    return id === undefined ? undefined : this.#entries.get(id);
  }

  /** The dead letter with that key that was buried last. */
  dead(key: string): Entry | undefined {
    return [...this.#entries.values()]
      .filter((entry) => entry.key === key && entry.buriedAt !== undefined)
      .sort(byPosition)
      .at(-1);
  }

  /** Keeps an entry in place of the one with its id; a dead one's key is free. */
  put(entry: Entry): void {
    this.#entries.set(entry.id, entry);
    if (entry.key === undefined) return;
    if (entry.buriedAt === undefined) this.#keys.set(entry.key, entry.id);
    else this.#freeKey(entry);
  }

  remove(entry: Entry): void {
    this.#entries.delete(entry.id);
    this.#freeKey(entry);
  }

  #freeKey({ key, id }: Entry): void {
    if (key !== undefined && this.#keys.get(key) === id) this.#keys.delete(key);
  }
}
