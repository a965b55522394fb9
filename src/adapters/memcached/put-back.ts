import { becomes } from "./becomes.ts";
import { currentStake, withStake, writerOf } from "./control.ts";
import type { Control, PutBackStake } from "./control.ts";
import { NAME_LETTERS } from "./control-store.ts";
import { againText } from "./entries.ts";
import { keyedNameOf } from "./names.ts";
import type { Owner } from "./owner.ts";
import type { Parts } from "./parts.ts";
import { decodeRecord, encodeRecord } from "./record.ts";
import type { StoredRecord } from "./record.ts";
import type { Item } from "./session.ts";
import type { WaitingList } from "./waiting-list.ts";
import type { Operation } from "./wire.ts";

// A stake stands in the control block, which everybody reads whole.
const NAMES_AT_ONCE = 256;

/** A dead letter that is to be put back. */
interface DeadLetter {
  readonly name: string;
  readonly stored: StoredRecord;
  readonly item: Item;
}

/** Puts dead letters back: a stake covers them from the block, so nobody has to be trusted to live to the end. */
export class PutBack {
  readonly #parts: Parts;
  readonly #owner: Owner;
  readonly #waiting: WaitingList;

  constructor(parts: Parts, tools: { readonly owner: Owner; readonly waiting: WaitingList }) {
    this.#parts = parts;
    this.#owner = tools.owner;
    this.#waiting = tools.waiting;
  }

  /** @returns how many were dead and are waiting now */
  async putBack(names: readonly string[]): Promise<number> {
    const unique = [...new Set(names)];
    let count = 0;
    for (let from = 0; from < unique.length; from += NAMES_AT_ONCE) {
      count += await this.#some(unique.slice(from, from + NAMES_AT_ONCE));
    }
    return count;
  }

  async #some(asked: readonly string[]): Promise<number> {
    const { control, random } = this.#parts;
    const seen = await control.read();
    if (seen === undefined) return 0;
    const { epoch } = seen.control;
    const names = (await this.#readDead(asked, epoch)).map(({ name }) => name);
    if (names.length === 0) return 0;
    const stake: PutBackStake = {
      kind: "putBack",
      id: random(NAME_LETTERS),
      owner: await this.#owner.beat(),
      generation: 0,
      entries: names,
    };
    const staked = await control.change((block) => withPutBack(block, stake, epoch));
    const mine = staked && currentStake(staked.control, stake);
    if (mine === undefined) return 0;
    const { count, isWhole } = await this.complete(mine, epoch);
    const nobodys = { ...mine, owner: "" };
    await control.change((block) =>
      currentStake(block, mine) === undefined ? undefined : withStake(block, mine, isWhole ? [] : [nobodys]),
    );
    return count;
  }

  /** Does what a stake says, as far as its owner before has not; `isWhole`: there was memory for all of it. */
  async complete(stake: PutBackStake, epoch: string): Promise<{ count: number; isWhole: boolean }> {
    const dead = await this.#readDead(stake.entries, epoch);
    const relisted = stake.generation > 0 ? await this.#readReady(stake, epoch) : [];
    const names = await this.#revive(dead, writerOf(stake), epoch);
    const back = names.flatMap((name) => name ?? []);
    // Where another task has the key it stays a dead letter, whatever comes of that one.
    const revived = dead.filter((_, at) => names[at] !== undefined);
    const listed = await this.#waiting.append(epoch, [...relisted, ...back].map(againText));
    if (listed === "full") return { count: 0, isWhole: false };
    await this.#removeCopies(revived, epoch);
    return { count: back.length, isWhole: true };
  }

  async #readDead(names: readonly string[], epoch: string): Promise<readonly DeadLetter[]> {
    const { session, keys } = this.#parts;
    const items = await session.getAll(names.map((name) => keys.record(epoch, name)));
    return names.flatMap((name, index) => {
      const item = items[index];
      const decoded = item && decodeRecord(item.value);
      if (item === undefined || decoded?.kind !== "record" || decoded.record.state !== "dead") return [];
      return [{ name, stored: decoded.record, item }];
    });
  }

  /** What an owner before may have put back and not listed. */
  async #readReady(stake: PutBackStake, epoch: string): Promise<readonly string[]> {
    const { session, keys } = this.#parts;
    const items = await session.getAll(stake.entries.map((name) => keys.record(epoch, name)));
    return stake.entries.filter((_, index) => {
      const decoded = items[index] && decodeRecord(items[index].value);
      return (
        decoded?.kind === "record" &&
        decoded.record.state === "ready" &&
        decoded.record.writer.startsWith(`${stake.id}.`)
      );
    });
  }

  /** @returns the names of the records that wait now; undefined where others have changed it, or have its key */
  async #revive(
    letters: readonly DeadLetter[],
    writer: string,
    epoch: string,
  ): Promise<readonly (string | undefined)[]> {
    const plain = letters.filter(({ name }) => keyedNameOf(name) === undefined);
    const revived = new Set(await this.#replace(plain, writer, epoch));
    const names: (string | undefined)[] = [];
    for (const letter of letters) {
      const { name, stored } = letter;
      const keyed = keyedNameOf(name);
      if (keyed !== undefined) names.push(await this.#takeKey(keyed, becomes.putBack(stored, writer), epoch));
      else names.push(revived.has(name) ? name : undefined);
    }
    return names;
  }

  /** All in one round trip. @returns the names of those that wait now */
  async #replace(letters: readonly DeadLetter[], writer: string, epoch: string): Promise<readonly string[]> {
    const { session, keys } = this.#parts;
    const writes = letters.map(({ name, stored, item }) => ({
      name,
      key: keys.record(epoch, name),
      value: encodeRecord(becomes.putBack(stored, writer)),
      cas: item.cas,
    }));
    const sure = await session.surely(
      writes.map(({ key, value, cas }): Operation => ({ kind: "replace", key, value, cas })),
    );
    const refused = writes.filter((_, at) => sure[at]?.answer.kind !== "ok");
    const now = await session.getAll(refused.map(({ key }) => key));
    const others = refused.filter(({ value }, at) => now[at]?.value.equals(Buffer.from(value)) !== true);
    return writes.filter((write) => !others.includes(write)).map(({ name }) => name);
  }

  /** The record of a key is there for one unfinished task: whoever adds it has the key. */
  async #takeKey(name: string, next: StoredRecord, epoch: string): Promise<string | undefined> {
    const { session, keys } = this.#parts;
    const key = keys.record(epoch, name);
    const { answer } = await session.sure({ kind: "add", key, value: encodeRecord(next) });
    if (answer.kind === "ok") return name;
    const now = await session.get(key);
    const decoded = now && decodeRecord(now.value);
    return decoded?.kind === "record" && decoded.record.nonce === next.nonce ? name : undefined;
  }

  /** Dead letters with a key were copies; a copy whose task has its key back, and is listed, is not needed. */
  async #removeCopies(dead: readonly DeadLetter[], epoch: string): Promise<void> {
    const { session, keys } = this.#parts;
    const copies = dead.filter(({ name }) => keyedNameOf(name) !== undefined);
    for (const { name, stored, item } of copies) {
      const now = await session.get(keys.record(epoch, keyedNameOf(name) ?? ""));
      const decoded = now && decodeRecord(now.value);
      if (decoded?.kind === "record" && decoded.record.nonce !== stored.nonce) continue;
      await session.sure({ kind: "delete", key: keys.record(epoch, name), cas: item.cas });
    }
  }
}

/** The block with a stake for those of its names that no other put-back has; undefined when nothing is to be done. */
function withPutBack(block: Control, stake: PutBackStake, epoch: string): Control | undefined {
  if (block.epoch !== epoch || currentStake(block, stake) !== undefined) return undefined;
  const taken = new Set(block.stakes.flatMap((one) => (one.kind === "putBack" ? one.entries : [])));
  const entries = stake.entries.filter((name) => !taken.has(name));
  return entries.length === 0 ? undefined : { ...block, stakes: [...block.stakes, { ...stake, entries }] };
}
