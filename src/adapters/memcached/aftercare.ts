import type { Finding } from "../../ports/broker.ts";
import { writerOf } from "./control.ts";
import type { DeadLetters } from "./dead-letters.ts";
import type { Delayed } from "./delayed.ts";
import { parseEntry } from "./entries.ts";
import type { ListEntry } from "./entries.ts";
import type { HeldRecord, Hold, ReadRecord } from "./hold.ts";
import { isKeyed } from "./names.ts";
import type { Parts } from "./parts.ts";
import { decodeRecord } from "./record.ts";
import { itemOf } from "./session.ts";
import type { Item } from "./session.ts";
import { sortRecord } from "./sorting.ts";
import type { Sorted } from "./sorting.ts";

/** Where a record stands in a stake. */
export interface Spot {
  readonly hold: Hold;
  /** Which entry of the stake. */
  readonly place: number;
  readonly entry: ListEntry;
}

/** Records in a stake that are no tasks to be run. */
export type Other = Exclude<Sorted, { readonly kind: "missing" | "tasks" }>;

// How long a record that only a newer version can read is put aside.
const PARK_SECONDS = 60;

/**
 * Sees to it that what is in a stake, and is not to be run, stands where it belongs when the stake is gone: an
 * owner before may have written it down and died before it could list it.
 */
export class Aftercare {
  readonly #parts: Parts;
  readonly #delayed: Delayed;
  readonly #dead: DeadLetters;

  constructor(parts: Parts, tools: { readonly delayed: Delayed; readonly dead: DeadLetters }) {
    this.#parts = parts;
    this.#delayed = tools.delayed;
    this.#dead = tools.dead;
  }

  async seeTo(spot: Spot, other: Other, item: Item): Promise<readonly Finding[]> {
    switch (other.kind) {
      case "elsewhere":
        return [];
      case "newer":
        return this.park(spot);
      case "broken":
        return this.#buryBytes(spot, item);
      case "cancelled":
        return this.#remove(spot, item);
      case "dead":
        return this.#listDead(spot, { name: spot.entry.name, stored: other.stored, cas: item.cas });
      case "delayed":
        return this.#delay(spot, other.due);
    }
  }

  /**
   * A record of ours turned out to be another than it was known: sees to it as it is now. Where it is to be run
   * after all, the stake has to stand until somebody does.
   */
  async lookAgain({ hold, name, place }: HeldRecord): Promise<void> {
    const entry = parseEntry(hold.stake.entries[place] ?? "") ?? { name, members: 1, again: true };
    const spot = { hold, place, entry };
    const { item, sorted } = await this.look(spot);
    if (item === undefined || sorted.kind === "missing") return;
    if (sorted.kind === "tasks") hold.mustStand = true;
    else await this.seeTo(spot, sorted, item);
  }

  /** What a record is now, seen with the block after it. Where the stake is not ours any more: in other hands. */
  async look({ hold, entry }: Spot): Promise<{ readonly item: Item | undefined; readonly sorted: Sorted }> {
    const { session, keys, control: store } = this.#parts;
    const get = { kind: "get", key: keys.record(hold.epoch, entry.name) } as const;
    const [read, block] = await session.surely([get, store.look]);
    const item = itemOf(read?.answer);
    const control = (await store.take(block?.answer))?.control;
    if (control === undefined || !hold.stands(control)) {
      hold.isLost = true;
      return { item, sorted: { kind: "elsewhere" } };
    }
    return {
      item,
      sorted: sortRecord(item, { stake: hold.stake, entry, sweptTo: control.sweptTo, control }),
    };
  }

  /** Puts aside what only a newer version can read. */
  async park({ hold, entry, place }: Spot, id = entry.name): Promise<readonly Finding[]> {
    const due = this.#parts.time.now() + PARK_SECONDS;
    const parked = await this.#delayed.index(hold.epoch, [{ name: entry.name, due, parked: true }]);
    if (parked === "full") hold.mustStand = true;
    else hold.struck.add(place);
    return [{ kind: "newer", id }];
  }

  /** Lists a record of its own that a member of a bundle has got; "none": it is none. */
  async relist(
    hold: Hold,
    child: { readonly name: string; readonly item: Item },
  ): Promise<"none" | "listed" | "full"> {
    const decoded = decodeRecord(child.item.value);
    if (decoded.kind !== "record") return "none";
    const { state, due } = decoded.record;
    const listed =
      state === "dead"
        ? await this.#dead.list(hold.epoch, [child.name])
        : await this.#delayed.index(hold.epoch, [{ name: child.name, due, parked: false }]);
    return listed === "full" ? "full" : "listed";
  }

  // Refused when others have removed it, or put another task of its key in its place.
  async #remove({ hold, entry }: Spot, { cas }: Item): Promise<readonly Finding[]> {
    const key = this.#parts.keys.record(hold.epoch, entry.name);
    await this.#parts.session.sure({ kind: "delete", key, cas });
    return [];
  }

  async #buryBytes({ hold, entry }: Spot, item: Item): Promise<readonly Finding[]> {
    const reason = "the stored bytes are not a record";
    const failure = { attempts: 0, error: reason, writer: writerOf(hold.stake) };
    const buried = await this.#dead.buryBytes(hold.epoch, { name: entry.name, ...item }, failure);
    if (buried === "full") hold.mustStand = true;
    return [{ kind: "buried", id: entry.name, reason }];
  }

  async #listDead({ hold }: Spot, dead: ReadRecord): Promise<readonly Finding[]> {
    if (isKeyed(dead.name)) {
      if ((await this.#dead.free(hold.epoch, dead)) === "full") hold.mustStand = true;
    } else if (hold.stake.generation > 0) {
      if ((await this.#dead.list(hold.epoch, [dead.name])) === "full") hold.mustStand = true;
    }
    return [];
  }

  async #delay({ hold, entry }: Spot, due: number): Promise<readonly Finding[]> {
    if (hold.stake.generation === 0) return [];
    const indexed = await this.#delayed.index(hold.epoch, [{ name: entry.name, due, parked: false }]);
    if (indexed === "full") hold.mustStand = true;
    return [];
  }
}
