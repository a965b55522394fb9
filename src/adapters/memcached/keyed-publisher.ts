import type { Published } from "../../ports/broker.ts";
import type { TaskState } from "../../task/task.ts";
import type { Encoded } from "./bundles.ts";
import type { TaskStake } from "./control.ts";
import { NAME_LETTERS } from "./control-store.ts";
import { becomes } from "./becomes.ts";
import type { DeadLetters } from "./dead-letters.ts";
import type { Delayed } from "./delayed.ts";
import { againText } from "./entries.ts";
import { keyedName, taskIdOf } from "./names.ts";
import type { Parts } from "./parts.ts";
import { full, refusalOf } from "./parcels.ts";
import { Stakes } from "./places.ts";
import { decodeRecord, encodeRecord } from "./record.ts";
import type { StoredRecord } from "./record.ts";
import { itemOf } from "./session.ts";
import type { Item, Known } from "./session.ts";
import type { Operation } from "./wire.ts";
import type { WaitingList } from "./waiting-list.ts";

// Each is a change by somebody else between reading and writing.
const MOST_ROUNDS = 50;

// A publisher that is to take back what it added does so long before.
const SETTLED_MS = 60_000;

/** What became of a record that was to be added; without an entry there is nothing to list. */
export interface Kept {
  readonly answers: ReadonlyMap<number, Published>;
  readonly name: string;
  readonly due: number;
  readonly entry?: string;
  /** Of a keyed one: what is to be answered when there is no memory for its name in a list. */
  readonly unlisted?: () => Promise<Published>;
}

/** A keyed draft, the record that it is to become, and where. */
export interface Wish {
  readonly encoded: Encoded;
  readonly epoch: string;
  readonly name: string;
  readonly key: string;
  readonly stored: StoredRecord;
  /** The task that it was about to take the place of, when it was not answered whether it did. */
  readonly doubt: { replaced?: string };
  /** The version of its record, when it is known that nobody has touched it before. */
  readonly added: { cas?: bigint };
}

/** Keeps drafts that have a key: one record stands for the key, and whoever adds it has it. */
export class KeyedPublisher {
  readonly #parts: Parts;
  readonly #waiting: WaitingList;
  readonly #delayed: Delayed;
  readonly #dead: DeadLetters;

  constructor(
    parts: Parts,
    tools: { readonly waiting: WaitingList; readonly delayed: Delayed; readonly dead: DeadLetters },
  ) {
    this.#parts = parts;
    this.#waiting = tools.waiting;
    this.#delayed = tools.delayed;
    this.#dead = tools.dead;
  }

  /** What came of adding the record of a wish, by the answer to it. */
  async add(wish: Wish, first: Known): Promise<Kept | "gone"> {
    const { session } = this.#parts;
    let answer = first;
    for (let round = 0; round < MOST_ROUNDS; round++) {
      if (answer.kind === "ok") {
        wish.added.cas = answer.cas;
        return this.#kept(wish);
      }
      if (answer.kind !== "exists") return this.#refused(wish, answer.kind);
      const met = await this.#meet(wish);
      if (met !== "again") return met;
      ({ answer } = await session.sure(this.adding(wish)));
    }
    return this.#answered(wish, { kind: "duplicate", of: wish.name, state: "running" });
  }

  /** The operation that adds its record; hand its answer to `add`. */
  adding({ key, stored }: Wish): Operation {
    return { kind: "add", key, value: encodeRecord(stored) };
  }

  wish(epoch: string, encoded: Encoded): Wish {
    const { codec, clock, random, keys } = this.#parts;
    const name = keyedName(encoded.draft.key ?? "");
    const nonce = random(NAME_LETTERS);
    const stored: StoredRecord = {
      state: "ready",
      bornAt: clock.now(),
      due: encoded.due,
      marked: true,
      writer: "",
      nonce,
      listed: false,
      bundled: false,
      members: [{ text: codec.seal(taskIdOf(name, nonce), encoded.body), attempts: 0 }],
    };
    return { encoded, epoch, name, key: keys.record(epoch, name), stored, doubt: {}, added: {} };
  }

  /** There is a record of that key: ours after all, one that is over, or an unfinished task. */
  async #meet(wish: Wish): Promise<Kept | "again" | "gone"> {
    const { session, control, time } = this.#parts;
    await time.known();
    const [read, block] = await session.surely([{ kind: "get", key: wish.key }, control.look]);
    const seen = await control.take(block?.answer);
    const item = itemOf(read?.answer);
    if (seen?.control.epoch !== wish.epoch) return "gone";
    return item === undefined ? "again" : this.#judge(wish, item, new Stakes(seen.control));
  }

  async #judge(wish: Wish, item: Item, stakes: Stakes): Promise<Kept | "again" | "gone"> {
    const decoded = decodeRecord(item.value);
    if (decoded.kind !== "record") {
      return this.#answered(wish, { kind: "duplicate", of: wish.name, state: "waiting" });
    }
    const there = decoded.record;
    if (there.nonce === wish.stored.nonce) return this.#kept(wish, wish.doubt.replaced);
    if (there.state === "dead") return this.#free(wish, there, item);
    const place = stakes.placeOf(wish.name, there, this.#parts.time.now());
    if (place === undefined) return this.#clear(wish, item);
    const mayReplace = wish.encoded.draft.onDuplicate === "replace" && place.state !== "running";
    return mayReplace
      ? this.#replace(wish, there, item)
      : this.#duplicate(wish, { there, item, state: place.state });
  }

  async #free(wish: Wish, stored: StoredRecord, { cas }: Item): Promise<Kept | "again"> {
    const freed = await this.#dead.free(wish.epoch, { name: wish.name, stored, cas });
    return freed === "full" ? this.#refused(wish, "full") : "again";
  }

  /** Cancelled: nobody starts it any more. */
  async #clear({ key }: Wish, { cas }: Item): Promise<"again"> {
    await this.#parts.session.sure({ kind: "delete", key, cas });
    return "again";
  }

  /**
   * Whoever added it may have died before it was listed, or may be about to take it back for want of memory, and
   * this answer says that it is kept: so it is listed, and says so itself.
   */
  async #duplicate(
    wish: Wish,
    met: { readonly there: StoredRecord; readonly item: Item; readonly state: TaskState },
  ): Promise<Kept | "again" | "gone"> {
    const { there, item, state } = met;
    const duplicate = { kind: "duplicate", of: taskIdOf(wish.name, there.nonce), state } as const;
    if (there.listed || state === "running") return this.#answered(wish, duplicate);
    const cas = await this.#touch(wish, item);
    if (cas === "again") return "again";
    const listed = await this.#list(wish, there.due);
    if (listed === "gone") return "gone";
    if (cas !== "full" && listed === "kept") {
      const value = encodeRecord(becomes.listed(there));
      await this.#parts.session.ask([{ kind: "replace", key: wish.key, value, cas }]);
      return this.#answered(wish, duplicate);
    }
    const mayGo = this.#parts.clock.now() - there.bornAt < SETTLED_MS;
    return mayGo ? this.#refused(wish, "full") : this.#answered(wish, duplicate);
  }

  /** Gives a record another version before it is listed: who added it does not take it back then. */
  async #touch({ key }: Wish, { value, cas }: Item): Promise<bigint | "again" | "full"> {
    const [answer] = await this.#parts.session.ask([{ kind: "replace", key, value, cas }]);
    if (answer?.kind === "ok") return answer.cas;
    return answer?.kind === "full" || answer?.kind === "tooLarge" ? "full" : "again";
  }

  /** Listed before it is written: at every moment either task stands in a list. */
  async #replace(wish: Wish, there: StoredRecord, item: Item): Promise<Kept | "again" | "gone"> {
    const cas = await this.#listInstead(wish, there, item);
    if (cas === "full") return this.#refused(wish, "full");
    if (typeof cas === "string") return cas;
    const value = encodeRecord(wish.stored);
    const replace: Operation = { kind: "replace", key: wish.key, value, cas };
    const [answer = { kind: "unknown" }] = await this.#parts.session.ask([replace]);
    if (answer.kind === "full" || answer.kind === "tooLarge") return this.#refused(wish, answer.kind);
    const replaced = taskIdOf(wish.name, there.nonce);
    if (answer.kind === "ok" || (await this.#stands(wish, value))) return this.#kept(wish, replaced);
    if (answer.kind === "unknown") wish.doubt.replaced = replaced;
    return "again";
  }

  /** @returns the version by which it may be replaced */
  async #listInstead(
    wish: Wish,
    there: StoredRecord,
    item: Item,
  ): Promise<bigint | "again" | "gone" | "full"> {
    const cas = there.listed ? item.cas : await this.#touch(wish, item);
    if (typeof cas === "string") return cas;
    if (there.due > 0) await this.#delayed.counts.takeBack(wish.epoch, there.due);
    const listed = await this.#list(wish, wish.stored.due);
    return listed === "kept" ? cas : listed;
  }

  async #stands({ key }: Wish, value: string): Promise<boolean> {
    const now = await this.#parts.session.get(key);
    return now?.value.equals(Buffer.from(value)) === true;
  }

  #list({ epoch, name }: Wish, due: number): ReturnType<Delayed["index"]> {
    if (due === 0) return this.#waiting.append(epoch, [againText(name)]);
    return this.#delayed.index(epoch, [{ name, due, parked: false }]);
  }

  #kept(wish: Wish, replaced?: string): Kept {
    const id = taskIdOf(wish.name, wish.stored.nonce);
    const answer: Published = { kind: "kept", id, ...(replaced !== undefined && { replaced }) };
    const kept = this.#answered(wish, answer);
    const unlisted = (): Promise<Published> =>
      replaced === undefined ? this.#takeBack(wish, answer) : this.#listInBlock(wish, answer);
    return { ...kept, entry: againText(wish.name), unlisted };
  }

  /** Nothing of it is to stand, unless somebody else has met it, and may have listed it, meanwhile. */
  async #takeBack(wish: Wish, kept: Published): Promise<Published> {
    const { cas } = wish.added;
    if (cas === undefined) return this.#listInBlock(wish, kept);
    const { answer } = await this.#parts.session.sure({ kind: "delete", key: wish.key, cas });
    return answer.kind === "exists" ? this.#listInBlock(wish, kept) : full(this.#parts);
  }

  /**
   * It stands and cannot be taken back: another publisher may have been told of it, or it has taken the place of one
   * that is gone. Whatever was listed for it may be claimed already: so the block names it, for which memory is set
   * aside.
   */
  async #listInBlock(wish: Wish, kept: Published): Promise<Published> {
    const { control, random } = this.#parts;
    const stake: TaskStake = {
      kind: "tasks",
      id: random(NAME_LETTERS),
      owner: "",
      // As if it was held before: then who takes it lists one that is not due yet, instead of passing over it.
      generation: 1,
      entries: [againText(wish.name)],
      loose: 0,
    };
    await control.change((now) => {
      const isThere = now.epoch !== wish.epoch || now.stakes.some(({ id }) => id === stake.id);
      return isThere ? undefined : { ...now, stakes: [...now.stakes, stake] };
    });
    return kept;
  }

  #answered({ encoded, name, stored }: Wish, answer: Published): Kept {
    return { answers: new Map([[encoded.place, answer]]), name, due: stored.due };
  }

  #refused(wish: Wish, why: Known["kind"]): Kept {
    const kind = why === "tooLarge" ? why : "full";
    return this.#answered(wish, refusalOf(this.#parts, { kind }) ?? full(this.#parts));
  }
}
