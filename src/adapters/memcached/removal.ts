import type { TaskState } from "../../task/task.ts";
import { becomes } from "./becomes.ts";
import { isKeyed } from "./names.ts";
import type { Parts } from "./parts.ts";
import { Stakes } from "./places.ts";
import { decodeRecord, encodeRecord } from "./record.ts";
import type { StoredRecord } from "./record.ts";
import { itemOf } from "./session.ts";
import type { Answer, Operation } from "./wire.ts";

/** A record that is to go. */
interface Going {
  readonly name: string;
  readonly key: string;
  readonly cas: bigint;
  /** Undefined: its bytes are no record. */
  readonly stored: StoredRecord | undefined;
}

/** What was removed. */
export interface Removed {
  /** Tasks. */
  readonly count: number;
  /** The names that lead to nothing now. */
  readonly gone: ReadonlySet<string>;
}

// Records in one round trip.
const RECORDS_AT_ONCE = 500;
// Each is a change by somebody else between reading and deleting.
const MOST_ROUNDS = 10;

/** Removes the records of tasks that nobody runs. */
export class Removal {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /**
   * For names that nobody can claim any more, or that are dead: the records are deleted, and what was left of cancelled
   * ones for whoever would come by.
   * @param meanwhile awaited between round trips
   */
  async remove(
    epoch: string,
    names: readonly string[],
    { state, meanwhile }: { readonly state: TaskState; readonly meanwhile: () => Promise<void> },
  ): Promise<number> {
    let count = 0;
    for (let from = 0; from < names.length; from += RECORDS_AT_ONCE) {
      let open = names.slice(from, from + RECORDS_AT_ONCE);
      for (let round = 0; open.length > 0 && round < MOST_ROUNDS; round++) {
        const { going } = await this.#read(
          epoch,
          open,
          (stored, place) => place === state || isCancelled(stored),
        );
        const deletes = going.map(({ key, cas }) => ({ kind: "delete", key, cas }) as const);
        const sure = await this.#parts.session.surely(deletes);
        count += countOf(going.filter((_, at) => sure[at]?.answer.kind !== "exists"));
        open = going.filter((_, at) => sure[at]?.answer.kind === "exists").map(({ name }) => name);
      }
      await meanwhile();
    }
    return count;
  }

  /**
   * For names that go on standing where somebody may claim them. As with a single one: nobody starts what says
   * that it is cancelled, and only then it is certain who had it.
   */
  async withdraw(epoch: string, names: readonly string[], state: TaskState): Promise<Removed> {
    const { going, absent } = await this.#read(epoch, names, (_, place) => place === state);
    if (going.length === 0) return { count: 0, gone: new Set(absent) };
    const { session, control, time } = this.#parts;
    const answers = await session.ask(going.map(withdrawing));
    const withdrawn = going.filter((_, at) => isDone(answers[at]));
    const seen = await control.read();
    const stakes = seen && new Stakes(seen.control);
    const now = time.now();
    const removed = withdrawn.filter(
      ({ name, stored }) => stored === undefined || stakes?.placeOf(name, stored, now)?.state !== "running",
    );
    await session.ask(removed.flatMap((one) => this.#deleting(one, answers[going.indexOf(one)])));
    return { count: countOf(removed), gone: new Set([...absent, ...removed.map(({ name }) => name)]) };
  }

  /** The records that are to go, and the names that have none. */
  async #read(
    epoch: string,
    names: readonly string[],
    isToGo: (stored: StoredRecord | undefined, place: TaskState | undefined) => boolean,
  ): Promise<{ readonly going: readonly Going[]; readonly absent: readonly string[] }> {
    const { session, keys, control, time } = this.#parts;
    const records = names.map((name) => keys.record(epoch, name));
    const gets = records.map((key) => ({ kind: "get", key }) as const);
    const sure = await session.surely([...gets, control.look]);
    const seen = await control.take(sure.at(-1)?.answer);
    if (seen?.control.epoch !== epoch) return { going: [], absent: [] };
    const stakes = new Stakes(seen.control);
    const going = names.flatMap((name, at): Going[] => {
      const item = itemOf(sure[at]?.answer);
      const decoded = item && decodeRecord(item.value);
      if (item === undefined || decoded === undefined) return [];
      const stored = decoded.kind === "record" ? decoded.record : undefined;
      const place = stored === undefined ? "waiting" : stakes.placeOf(name, stored, time.now())?.state;
      return isToGo(stored, place) ? [{ name, key: records[at] ?? "", cas: item.cas, stored }] : [];
    });
    return { going, absent: names.filter((_, at) => sure[at]?.answer.kind === "missing") };
  }

  /** What is left of a fresh record tells whoever comes by its name that nothing is missing. */
  #deleting({ name, key, stored }: Going, answer: Answer | undefined): readonly Operation[] {
    const isFresh = stored !== undefined && !stored.marked && !isKeyed(name);
    return answer?.kind !== "ok" || isFresh ? [] : [{ kind: "delete", key, cas: answer.cas }];
  }
}

const withdrawing = ({ key, cas, stored }: Going): Operation =>
  stored === undefined
    ? { kind: "delete", key, cas }
    : { kind: "replace", key, cas, value: encodeRecord(becomes.cancelled(stored)) };

const isCancelled = (stored: StoredRecord | undefined): boolean => stored?.state === "cancelled";

const isDone = (answer: Answer | undefined): boolean => answer?.kind === "ok";

/** Tasks in records. */
const countOf = (going: readonly Going[]): number =>
  going
    .filter(({ stored }) => !isCancelled(stored))
    .reduce(
      (sum, { stored }) => sum + (stored?.members.filter(({ text }) => text !== undefined).length ?? 1),
      0,
    );
