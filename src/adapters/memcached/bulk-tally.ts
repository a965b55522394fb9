import type { BulkCount } from "../../ports/bulks.ts";
import { namesOf } from "./bulk-state.ts";
import type { Series, StoredBulk } from "./bulk-state.ts";
import type { BulkStore } from "./bulk-store.ts";
import { memberId } from "./names.ts";
import type { Parts } from "./parts.ts";
import { decodeRecord } from "./record.ts";
import type { StoredRecord } from "./record.ts";

// Records that are read in one round trip.
const RECORDS_AT_ONCE = 500;

/**
 * Counts what is left of a bulk by looking at its records: what is over has none. What was once seen to be over
 * is not looked at again. Behind a stretch that nobody has touched the rest counts as untouched too: the sum is
 * only right to the task when nothing, or nearly nothing, is left.
 */
export class BulkTally {
  readonly #parts: Parts;
  readonly #store: BulkStore;
  readonly #watched = new Map<string, Watched>();

  constructor(parts: Parts, store: BulkStore) {
    this.#parts = parts;
    this.#store = store;
  }

  async count(name: string): Promise<BulkCount | undefined> {
    const bulk = (await this.#store.read(name))?.bulk;
    if (bulk === undefined) return undefined;
    const watched = this.#watch(name, bulk);
    const { left, dead } = await this.#look(bulk, watched);
    const done = Math.max(0, bulk.kept - left - dead); // the rest is estimated
    return { place: bulk.place, kept: bulk.kept, removed: 0, dead, left: bulk.kept - dead - done, done };
  }

  /** Whether nothing of a bulk is left. While one that was seen to be left still is, that is all that is read. */
  async isSettled(name: string, bulk: StoredBulk): Promise<boolean> {
    const { witness } = this.#watch(name, bulk);
    if (witness !== undefined) {
      const record = (await this.#records(bulk.epoch, [witness])).get(witness);
      if (record !== undefined && sumOf(record).left > 0) return false;
    }
    return (await this.count(name))?.left === 0;
  }

  #watch(name: string, { epoch }: StoredBulk): Watched {
    const known = this.#watched.get(name);
    const watched = known?.epoch === epoch ? known : new Watched(epoch);
    this.#watched.set(name, watched);
    return watched;
  }

  async #look(bulk: StoredBulk, watched: Watched): Promise<Sum> {
    let sum = NOTHING;
    let untouched = 0;
    let parcelsSeen = 0;
    for (const series of bulk.series) {
      for (let from = 0; from < series.count; from += RECORDS_AT_ONCE) {
        const to = Math.min(from + RECORDS_AT_ONCE, series.count);
        parcelsSeen += to - from;
        const seen = await this.#lookAt({ series, names: watched.open(series, from, to) }, watched);
        sum = plus(sum, seen);
        untouched = seen.untouched ? untouched + 1 : 0;
        if (untouched >= 2) return plus(plus(sum, restOf(bulk, parcelsSeen)), await this.#children(watched));
      }
    }
    return plus(sum, await this.#children(watched));
  }

  async #lookAt(
    { series, names }: Stretch,
    watched: Watched,
  ): Promise<Sum & { readonly untouched: boolean }> {
    const asked = [...names];
    const records = await this.#records(watched.epoch, asked);
    let sum = NOTHING;
    for (const name of asked) {
      const record = records.get(name);
      if (record === undefined) names.delete(name);
      else sum = plus(sum, watched.sum(name, record));
      if (series.members > 1) watched.noteChildren(series, name, record);
    }
    return { ...sum, untouched: asked.length > 0 && asked.every((name) => isUntouched(records.get(name))) };
  }

  /** Members that left their bundle unfinished have records of their own. */
  async #children(watched: Watched): Promise<Sum> {
    let sum = NOTHING;
    const names = [...watched.children];
    for (let from = 0; from < names.length; from += RECORDS_AT_ONCE) {
      const some = names.slice(from, from + RECORDS_AT_ONCE);
      const records = await this.#records(watched.epoch, some);
      for (const name of some) {
        const record = records.get(name);
        if (record === undefined) watched.children.delete(name);
        else sum = plus(sum, watched.sum(name, record));
      }
    }
    return sum;
  }

  async #records(epoch: string, names: readonly string[]): Promise<ReadonlyMap<string, StoredRecord>> {
    const { session, keys } = this.#parts;
    const items = await session.getAll(names.map((name) => keys.record(epoch, name)));
    const records = new Map<string, StoredRecord>();
    for (const [at, name] of names.entries()) {
      const item = items[at];
      if (item === undefined) continue;
      const decoded = decodeRecord(item.value);
      records.set(name, decoded.kind === "record" ? decoded.record : UNREADABLE);
    }
    return records;
  }
}

/** Names that are not known to be over. */
interface Stretch {
  readonly series: Series;
  readonly names: Set<string>;
}

interface Sum {
  readonly left: number;
  readonly dead: number;
}

const NOTHING: Sum = { left: 0, dead: 0 };
const plus = (one: Sum, other: Sum): Sum => ({ left: one.left + other.left, dead: one.dead + other.dead });

/** Bytes that are no record, or a newer version's: a task whose end is not known. */
const UNREADABLE: StoredRecord = {
  state: "ready",
  bornAt: 0,
  due: 0,
  marked: true,
  writer: "",
  listed: false,
  bundled: false,
  members: [{ text: "", attempts: 0 }],
};

function sumOf({ state, members }: StoredRecord): Sum {
  const count = members.filter(({ text }) => text !== undefined).length;
  if (state === "cancelled") return NOTHING;
  return state === "dead" ? { left: 0, dead: count } : { left: count, dead: 0 };
}

const isUntouched = (record: StoredRecord | undefined): boolean =>
  record?.state === "ready" && !record.marked && record.members.every(({ text }) => text !== undefined);

/** The tasks of records that were not looked at: as many as records have on average, and never none. */
function restOf({ series, kept }: StoredBulk, parcelsSeen: number): Sum {
  const parcels = series.reduce((sum, { count }) => sum + count, 0);
  const rest = parcels - parcelsSeen;
  if (rest === 0) return NOTHING;
  return { left: Math.max(1, Math.round((kept / parcels) * rest)), dead: 0 };
}

/** What is known of the records of one bulk. */
class Watched {
  readonly epoch: string;
  /** Records of members that may have left their bundle. */
  readonly children = new Set<string>();
  /** The last record that was seen with something left in it: most likely it is among the last to be over. */
  witness: string | undefined;
  /** By the first name of a stretch: which of its names are not known to be over. */
  readonly #open = new Map<string, Set<string>>();

  constructor(epoch: string) {
    this.epoch = epoch;
  }

  /** The names of a stretch that are not known to be over. */
  open(series: Series, from: number, to: number): Set<string> {
    const stretch = `${series.prefix}:${String(from)}:${String(to)}`;
    let names = this.#open.get(stretch);
    if (names === undefined) {
      names = new Set(namesOf(series, from, to));
      this.#open.set(stretch, names);
    }
    return names;
  }

  sum(name: string, record: StoredRecord): Sum {
    const sum = sumOf(record);
    if (sum.left > 0) this.witness = name;
    return sum;
  }

  /** Members that are not in their bundle any more may have records of their own. */
  noteChildren(series: Series, name: string, record: StoredRecord | undefined): void {
    if (record?.bundled === false) return;
    for (let index = 0; index < series.members; index++) {
      const member = record?.members[index];
      if (record === undefined || (member !== undefined && member.text === undefined)) {
        this.children.add(memberId(name, index));
      }
    }
  }
}
