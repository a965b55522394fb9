import type { TaskState } from "../../task/task.ts";
import { bucketOf } from "./bucket.ts";
import type { Control } from "./control.ts";
import type { DeadLetters } from "./dead-letters.ts";
import type { Delayed } from "./delayed.ts";
import type { ListPurger } from "./list-purger.ts";
import type { NamePages } from "./name-pages.ts";
import type { Parts } from "./parts.ts";
import type { Removal } from "./removal.ts";

/** What purging works with. */
interface PurgerTools {
  readonly pages: NamePages;
  readonly dead: DeadLetters;
  readonly delayed: Delayed;
  readonly removal: Removal;
  readonly listPurger: ListPurger;
}

/** Removes every task in a state. */
export class Purger {
  readonly #parts: Parts;
  readonly #tools: PurgerTools;

  constructor(parts: Parts, tools: PurgerTools) {
    this.#parts = parts;
    this.#tools = tools;
  }

  /** @returns how many tasks are gone; running ones never are */
  async purge(states: readonly TaskState[]): Promise<number> {
    await this.#parts.time.known();
    let count = 0;
    for (const state of new Set(states)) {
      if (state === "waiting") count += await this.#tools.listPurger.purge();
      const control = (await this.#parts.control.read())?.control;
      if (control === undefined) return count;
      count += await this.#purge(control, state);
    }
    return count;
  }

  #purge(control: Control, state: TaskState): Promise<number> {
    switch (state) {
      case "waiting":
        return this.#withdrawWaiting(control);
      case "delayed":
        return this.#withdrawDelayed(control);
      case "dead":
        return this.#removeDead(control);
      case "running":
        return Promise.resolve(0);
    }
  }

  /** What is left when the lists are gone: their names stay where they are until somebody comes by. */
  async #withdrawWaiting(control: Control): Promise<number> {
    let count = 0;
    for (let after = ""; ;) {
      const named = await this.#tools.pages.next(control, "waiting", after);
      const last = named.at(-1);
      if (last === undefined) return count;
      const names = [...new Set(named.map(({ name }) => name))];
      count += (await this.#tools.removal.withdraw(control.epoch, names, "waiting")).count;
      after = last.cursor;
    }
  }

  /** The buckets go as well: else whatever comes first after their minute would find names that lead to nothing. */
  async #withdrawDelayed({ epoch, sweptTo }: Control): Promise<number> {
    const { delayed, removal } = this.#tools;
    let count = 0;
    for (const minute of await delayed.minutes(epoch, bucketOf(sweptTo + 1))) {
      await delayed.counts.forgetMinute(epoch, minute);
      await delayed.thin(epoch, minute, async (names) => {
        const removed = await removal.withdraw(epoch, names, "delayed");
        count += removed.count;
        return removed.gone;
      });
    }
    return count;
  }

  async #removeDead(control: Control): Promise<number> {
    const { dead, removal } = this.#tools;
    const names = await dead.names(control);
    const meanwhile = (): Promise<void> => Promise.resolve();
    const count = await removal.remove(control.epoch, names, { state: "dead", meanwhile });
    await dead.tidy(control);
    return count;
  }
}
