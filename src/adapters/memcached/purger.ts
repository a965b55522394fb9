import type { TaskState } from "../../task/task.ts";
import { becomes } from "./becomes.ts";
import type { Control } from "./control.ts";
import type { DeadLetters } from "./dead-letters.ts";
import type { Named, NamePages } from "./name-pages.ts";
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

/** Removes every task in a state; their names stay in the lists until somebody comes by. */
export class Purger {
  readonly #parts: Parts;
  readonly #pages: NamePages;
  readonly #dead: DeadLetters;

  constructor(parts: Parts, tools: { readonly pages: NamePages; readonly dead: DeadLetters }) {
    this.#parts = parts;
    this.#pages = tools.pages;
    this.#dead = tools.dead;
  }

  /** @returns how many tasks are gone; running ones never are */
  async purge(states: readonly TaskState[]): Promise<number> {
    await this.#parts.time.known();
    const control = (await this.#parts.control.read())?.control;
    if (control === undefined) return 0;
    let count = 0;
    for (const state of new Set(states)) if (state !== "running") count += await this.#purge(control, state);
    if (states.includes("dead")) await this.#dead.tidy(control);
    return count;
  }

  async #purge(control: Control, state: TaskState): Promise<number> {
    let count = 0;
    let after = "";
    for (;;) {
      const named = await this.#pages.next(control, state, after);
      const last = named.at(-1);
      if (last === undefined) return count;
      count += await this.#remove(control.epoch, named, state);
      after = last.cursor;
    }
  }

  async #remove(epoch: string, named: readonly Named[], state: TaskState): Promise<number> {
    const going = await this.#read(epoch, named, state);
    if (going.length === 0) return 0;
    const { session } = this.#parts;
    if (state === "dead") {
      const answers = await session.ask(going.map(({ key, cas }) => ({ kind: "delete", key, cas })));
      return countOf(going.filter((_, at) => isDone(answers[at])));
    }
    // As with a single one: nobody starts what says that it is cancelled, and only then it is certain who had it.
    const answers = await session.ask(going.map(withdrawing));
    const withdrawn = going.filter((_, at) => isDone(answers[at]));
    const seen = await this.#parts.control.read();
    const stakes = seen && new Stakes(seen.control);
    const now = this.#parts.time.now();
    const gone = withdrawn.filter(
      ({ name, stored }) => stored === undefined || stakes?.placeOf(name, stored, now)?.state !== "running",
    );
    await session.ask(gone.flatMap((one) => this.#deleting(one, answers[going.indexOf(one)])));
    return countOf(gone);
  }

  async #read(epoch: string, named: readonly Named[], state: TaskState): Promise<readonly Going[]> {
    const { session, keys, control, time } = this.#parts;
    const names = [...new Set(named.map(({ name }) => name))];
    const records = names.map((name) => keys.record(epoch, name));
    const gets = records.map((key) => ({ kind: "get", key }) as const);
    const sure = await session.surely([...gets, control.look]);
    const seen = await control.take(sure.at(-1)?.answer);
    if (seen?.control.epoch !== epoch) return [];
    const stakes = new Stakes(seen.control);
    return names.flatMap((name, at): Going[] => {
      const item = itemOf(sure[at]?.answer);
      const decoded = item && decodeRecord(item.value);
      if (item === undefined || decoded === undefined) return [];
      const stored = decoded.kind === "record" ? decoded.record : undefined;
      const place = stored === undefined ? { state: "waiting" } : stakes.placeOf(name, stored, time.now());
      return place?.state === state ? [{ name, key: records[at] ?? "", cas: item.cas, stored }] : [];
    });
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

const isDone = (answer: Answer | undefined): boolean => answer?.kind === "ok";

/** Tasks in records. */
const countOf = (going: readonly Going[]): number =>
  going.reduce(
    (sum, { stored }) => sum + (stored?.members.filter(({ text }) => text !== undefined).length ?? 1),
    0,
  );
