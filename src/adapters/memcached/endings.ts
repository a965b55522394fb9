import type { Outcome } from "../../task/outcome.ts";
import { becomes } from "./becomes.ts";
import type { Failure } from "./becomes.ts";
import { writerOf } from "./control.ts";
import type { HeldRecord, HeldTask } from "./hold.ts";
import type { Parts } from "./parts.ts";
import type { StoredRecord } from "./record.ts";

/** How a held task ended. */
export interface Ended {
  readonly task: HeldTask;
  readonly outcome: Outcome;
  /** Charged by then. */
  readonly attempts: number;
}

/** The endings of the tasks of records. */
export type Endings = ReadonlyMap<HeldRecord, readonly Ended[]>;

/** Outcomes for which a full server had no memory: they are written down as soon as it has some. */
export class Debts {
  readonly #owed = new Map<HeldRecord, readonly Ended[]>();

  /** Of how many records. */
  get size(): number {
    return this.#owed.size;
  }

  /** The stake of the record has to stand until they are taken. */
  add(record: HeldRecord, endings: readonly Ended[]): void {
    const before = this.#owed.get(record);
    if (before === undefined) record.hold.owed += 1;
    this.#owed.set(record, [...(before ?? []), ...endings]);
  }

  /** The oldest ones, to be tried again. */
  take(most: number): Endings {
    const taken = new Map([...this.#owed].slice(0, most));
    for (const record of taken.keys()) {
      this.#owed.delete(record);
      record.hold.owed -= 1;
    }
    return taken;
  }
}

/** A record of one task after its ending; undefined: nothing is left. `isTight`: without the words of its error. */
export function afterwards(
  { clock, time }: Parts,
  stored: StoredRecord,
  { ending, isTight }: { readonly ending: Ended; readonly isTight: boolean },
): StoredRecord | undefined {
  const { task, outcome, attempts } = ending;
  const writer = writerOf(task.record.hold.stake);
  const failure = (words: string): Failure => ({ attempts, error: isTight ? "" : words, writer });
  switch (outcome.kind) {
    case "done":
      return undefined;
    case "retry": {
      const due = outcome.at <= clock.now() ? 0 : time.notBefore(outcome.at);
      return becomes.retried(stored, due, { ...failure(outcome.error), askedFrom: outcome.askedFrom });
    }
    case "dead":
      return becomes.buried(stored, clock.now(), failure(outcome.reason));
  }
}
