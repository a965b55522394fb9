import { becomes } from "./becomes.ts";
import type { Failure } from "./becomes.ts";
import type { Control } from "./control.ts";
import { parseEntry } from "./entries.ts";
import { taskIdOf } from "./names.ts";
import type { Parts } from "./parts.ts";
import { decodeRecord, encodeRecord } from "./record.ts";
import type { StoredRecord } from "./record.ts";
import type { Item } from "./session.ts";
import { listText } from "./waiting-list.ts";
import type { Appended, WaitingList } from "./waiting-list.ts";
import type { Answer } from "./wire.ts";

/** Dead letters: records that say so, and the lists that name them. */
export class DeadLetters {
  readonly #parts: Parts;
  readonly #lists: WaitingList;

  constructor(parts: Parts, lists: WaitingList) {
    this.#parts = parts;
    this.#lists = lists;
  }

  /** Lists records that are dead already. */
  list(epoch: string, names: readonly string[]): Promise<Appended> {
    return this.#lists.append(epoch, names);
  }

  /**
   * Gives a dead letter that has a key a record of its own, so that the key is free. May be done twice, and by
   * anybody who meets it: the name of the new record is that of the task.
   */
  async free(
    epoch: string,
    dead: { readonly name: string; readonly stored: StoredRecord; readonly cas: bigint },
  ): Promise<Appended> {
    const { session, keys } = this.#parts;
    const id = taskIdOf(dead.name, dead.stored.nonce);
    if ((await this.#copy(keys.record(epoch, id), encodeRecord(dead.stored))) === "full") return "full";
    const listed = await this.#lists.append(epoch, [id]);
    if (listed !== "kept") return listed;
    await session.sure({ kind: "delete", key: keys.record(epoch, dead.name), cas: dead.cas });
    return "kept";
  }

  /**
   * Adds the record of its own. A letter that was put back may be dead again before its old copy is removed: the
   * copy becomes another then, and whoever was about to remove it is refused.
   */
  async #copy(key: string, value: string): Promise<"kept" | "full"> {
    const { session } = this.#parts;
    const patience = session.patience();
    for (;;) {
      const { answer } = await session.sure({ kind: "add", key, value });
      const { kind } = answer.kind === "exists" ? await this.#overwrite(key, value) : answer;
      if (kind === "ok") return "kept";
      if (kind === "full" || kind === "tooLarge") return "full";
      await patience.again(); // it was removed just now, or changed
    }
  }

  async #overwrite(key: string, value: string): Promise<Pick<Answer, "kind">> {
    const { session } = this.#parts;
    const there = await session.get(key);
    if (there === undefined) return { kind: "missing" };
    if (there.value.equals(Buffer.from(value))) return { kind: "ok" };
    const [answer] = await session.ask([{ kind: "replace", key, value, cas: there.cas }]);
    return answer ?? { kind: "unknown" };
  }

  /** The names of all dead letters, doubled and removed ones included. */
  async names(control: Control): Promise<readonly string[]> {
    const items = await this.#parts.session.getAll(this.#keys(control));
    return [...new Set(items.flatMap((item) => namesIn(item)))];
  }

  /** Takes out of the lists what is no dead letter any more, and lets go of lists that are empty. */
  async tidy(control: Control): Promise<void> {
    const { session, keys } = this.#parts;
    const items = await session.getAll(this.#keys(control));
    const empty: string[] = [];
    for (const [index, { name }] of control.deadLists.entries()) {
      const item = items[index];
      if (item === undefined || item.value.length === 0) continue;
      const dead = await this.#stillDead(control.epoch, namesIn(item));
      const isLast = index === control.deadLists.length - 1;
      const key = keys.list(control.epoch, name);
      const value = dead.length === 0 ? "" : listText(dead);
      if (value.length === item.value.length) continue;
      // Refused when another letter came meanwhile: the next one who tidies gets it.
      if (dead.length > 0 || isLast) await session.ask([{ kind: "replace", key, value, cas: item.cas }]);
      else if ((await session.sure({ kind: "delete", key, cas: item.cas })).answer.kind === "ok")
        empty.push(name);
    }
    if (empty.length > 0) await this.#parts.control.change((now) => withoutLists(now, control.epoch, empty));
  }

  async #stillDead(epoch: string, names: readonly string[]): Promise<readonly string[]> {
    const { session, keys } = this.#parts;
    const dead: string[] = [];
    for (let from = 0; from < names.length; from += RECORDS_AT_ONCE) {
      const some = names.slice(from, from + RECORDS_AT_ONCE);
      const items = await session.getAll(some.map((name) => keys.record(epoch, name)));
      dead.push(...some.filter((_, index) => isDead(items[index])));
    }
    return dead;
  }

  #keys({ epoch, deadLists }: Control): readonly string[] {
    return deadLists.map(({ name }) => this.#parts.keys.list(epoch, name));
  }

  /** Turns bytes that are no record into a dead letter that keeps them; the stake that it is in covers it meanwhile. */
  async buryBytes(
    epoch: string,
    broken: { readonly name: string; readonly value: Buffer; readonly cas: bigint },
    failure: Failure,
  ): Promise<Appended> {
    const { session, keys, clock } = this.#parts;
    const now = clock.now();
    const key = keys.record(epoch, broken.name);
    // As text, bytes that are none take more than they did, and an item may be as large as there can be.
    for (const bytes of [broken.value, broken.value.subarray(0, SHOWN_BYTES)]) {
      const value = encodeRecord(becomes.buried(asRecord(bytes, now), now, failure));
      const { answer } = await session.sure({ kind: "replace", key, value, cas: broken.cas });
      if (answer.kind === "full") return "full";
      if (answer.kind !== "tooLarge") break;
    }
    return this.#lists.append(epoch, [broken.name]);
  }
}

const RECORDS_AT_ONCE = 500;
// What is kept of bytes that are no record when not all of them can be.
const SHOWN_BYTES = 1_024;

const namesIn = (item: Item | undefined): readonly string[] => {
  const texts = item?.value.toString("latin1").split(",") ?? [];
  return [...new Set(texts.flatMap((text) => parseEntry(text)?.name ?? []))];
};

function isDead(item: Item | undefined): boolean {
  const decoded = item && decodeRecord(item.value);
  return decoded?.kind === "record" && decoded.record.state === "dead";
}

function withoutLists(now: Control, epoch: string, gone: readonly string[]): Control | undefined {
  const left = now.deadLists.filter(
    ({ name }, index) => index === now.deadLists.length - 1 || !gone.includes(name),
  );
  return now.epoch !== epoch || left.length === now.deadLists.length
    ? undefined
    : { ...now, deadLists: left };
}

function asRecord(bytes: Buffer, now: number): StoredRecord {
  return {
    state: "ready",
    bornAt: now,
    due: 0,
    marked: true,
    writer: "",
    listed: false,
    bundled: false,
    members: [{ text: bytes.toString("utf8"), attempts: 0 }],
  };
}
