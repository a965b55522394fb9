import type { Page, PageRequest } from "../../ports/broker.ts";
import { MAX_BATCH } from "../../ports/broker.ts";
import type { TaskRecord, TaskState } from "../../task/task.ts";
import type { Inspector, Shown } from "./inspector.ts";
import type { Named, NamePages } from "./name-pages.ts";
import type { Parts } from "./parts.ts";

const MOST_READS = 200; // of names that lead to nothing; then an empty page says where to go on

/** Pages through the tasks of one state, and consumes nothing. */
export class Listing {
  readonly #parts: Parts;
  readonly #pages: NamePages;
  readonly #inspector: Inspector;

  constructor(parts: Parts, tools: { readonly pages: NamePages; readonly inspector: Inspector }) {
    this.#parts = parts;
    this.#pages = tools.pages;
    this.#inspector = tools.inspector;
  }

  async page(state: TaskState, request: PageRequest): Promise<Page> {
    const limit = Math.max(1, Math.min(request.limit, MAX_BATCH));
    await this.#parts.time.known();
    const control = (await this.#parts.control.read())?.control;
    if (control === undefined) return { tasks: [] };
    const filling = new Filling(limit, request.after ?? "");
    for (let reads = 0; reads < MOST_READS; reads++) {
      const named = await this.#pages.next(control, state, filling.after);
      if (named.length === 0) return { tasks: filling.tasks };
      const shown = await this.#inspector.show(named.map(({ name }) => name));
      const here = shown.filter(({ place }) => place.state === state);
      if (filling.add(named, (one) => here.filter((found) => this.#isAt(found, one)))) break;
    }
    return { tasks: filling.tasks, next: filling.cursor };
  }

  /** A delayed one stands in the bucket of every time that it ever had; only one of them is its own. */
  #isAt({ name, record }: Shown, named: Named): boolean {
    if (name !== named.name) return false;
    return (
      record.state !== "delayed" || named.due === undefined || record.at === this.#parts.time.local(named.due)
    );
  }
}

/** A page that is being filled. Its cursor: behind which name, and how many tasks of the next record were shown. */
class Filling {
  readonly tasks: TaskRecord[] = [];
  readonly #limit: number;
  readonly #listed = new Set<string>();
  #after: string;
  #skip: number;

  constructor(limit: number, cursor: string) {
    this.#limit = limit;
    const [after = "", skip = "0"] = cursor.split("|");
    this.#after = after;
    this.#skip = Number(skip) || 0;
  }

  get after(): string {
    return this.#after;
  }

  get cursor(): string {
    return `${this.#after}|${String(this.#skip)}`;
  }

  /** True when the page is full and there is more. */
  add(named: readonly Named[], found: (named: Named) => readonly Shown[]): boolean {
    for (const one of named) {
      for (const { record } of found(one).slice(this.#skip)) {
        if (this.#listed.has(record.id)) continue;
        if (this.tasks.length === this.#limit) return true;
        this.#listed.add(record.id);
        this.tasks.push(record);
        this.#skip += 1;
      }
      this.#after = one.cursor;
      this.#skip = 0;
    }
    return false;
  }
}
