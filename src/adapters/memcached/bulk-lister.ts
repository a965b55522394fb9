import { MemqError } from "../../errors.ts";
import { openNames } from "./bulk-state.ts";
import type { StoredBulk } from "./bulk-state.ts";
import type { BulkStore } from "./bulk-store.ts";
import { entriesOf } from "./control.ts";
import type { Control } from "./control.ts";
import type { Delayed } from "./delayed.ts";
import { againText, entryText, parseEntry } from "./entries.ts";
import { entryOf, fullReason } from "./parcels.ts";
import type { Parcel } from "./parcels.ts";
import type { Parts } from "./parts.ts";
import { decodeRecord } from "./record.ts";
import type { StoredRecord } from "./record.ts";
import type { Appended, WaitingList } from "./waiting-list.ts";

/** What is to stand in a list. */
interface Unlisted {
  readonly name: string;
  readonly entry: string;
  /** Second of the server's time; 0 = at once. */
  readonly due: number;
}

/** Lists the records of bulks, and finds out whether a publisher that died had come to it. */
export class BulkLister {
  readonly #parts: Parts;
  readonly #store: BulkStore;
  readonly #waiting: WaitingList;
  readonly #delayed: Delayed;

  constructor(
    parts: Parts,
    tools: { readonly store: BulkStore; readonly waiting: WaitingList; readonly delayed: Delayed },
  ) {
    this.#parts = parts;
    this.#store = tools.store;
    this.#waiting = tools.waiting;
    this.#delayed = tools.delayed;
  }

  /** Lists records that were added just now. @throws MemqError QUEUE_FULL, TASKS_LOST */
  async list(bulk: string, epoch: string, parcels: readonly Parcel[]): Promise<void> {
    const due = (parcel: Parcel): number => parcel.drafts[0]?.due ?? 0;
    await this.#list(
      bulk,
      { epoch, areNew: true },
      parcels.map((parcel) => ({ name: parcel.name, entry: entryOf(parcel), due: due(parcel) })),
    );
  }

  /** Lists what stands open, unless it was listed. Not to be done while its publisher lives. */
  async finish(name: string, bulk: StoredBulk): Promise<void> {
    const open = openNames(bulk);
    if (open.length === 0) return;
    const listed = await this.#listedNames(bulk, name);
    const records = await this.#records(bulk.epoch, open);
    // All the names of a part are appended at once: where one was, all were.
    const direct = open.filter((one) => (records.get(one)?.due ?? 0) === 0);
    const wasListed = direct.some((one) => listed.has(one) || !isFresh(records.get(one)));
    const unlisted = open.flatMap((one): readonly Unlisted[] => {
      const record = records.get(one);
      if (record === undefined || (wasListed && record.due === 0) || record.state !== "ready") return [];
      return [
        {
          name: one,
          entry: entryText({ name: one, members: record.members.length, again: false }),
          due: record.due,
        },
      ];
    });
    await this.#list(name, { epoch: bulk.epoch, areNew: false }, unlisted);
  }

  /** Names in lists first, then in stakes: they only go that way. */
  async #listedNames({ epoch }: StoredBulk, name: string): Promise<ReadonlySet<string>> {
    const { session, keys, control } = this.#parts;
    const before = await this.#control(epoch, name);
    const lists = await session.getAll(before.lists.map((list) => keys.list(epoch, list.name)));
    const after = (await control.read())?.control;
    const names = new Set<string>();
    const note = (text: string): void => void names.add(parseEntry(text)?.name ?? "");
    for (const list of lists) for (const text of list?.value.toString("latin1").split(",") ?? []) note(text);
    for (const stake of after?.stakes ?? []) entriesOf(stake).forEach(note);
    return names;
  }

  async #control(epoch: string, name: string): Promise<Control> {
    const seen = await this.#parts.control.read();
    if (seen?.control.epoch !== epoch) throw this.#store.lost(name);
    return seen.control;
  }

  async #records(epoch: string, names: readonly string[]): Promise<ReadonlyMap<string, StoredRecord>> {
    const { session, keys } = this.#parts;
    const items = await session.getAll(names.map((name) => keys.record(epoch, name)));
    const records = new Map<string, StoredRecord>();
    for (const [at, name] of names.entries()) {
      const item = items[at];
      const decoded = item && decodeRecord(item.value);
      if (decoded?.kind === "record") records.set(name, decoded.record);
    }
    return records;
  }

  async #list(
    bulk: string,
    { epoch, areNew }: { readonly epoch: string; readonly areNew: boolean },
    unlisted: readonly Unlisted[],
  ): Promise<void> {
    const timed = unlisted
      .filter(({ due }) => due > 0)
      .map(({ name, due }) => ({ name, due, parked: false }));
    const entries = unlisted.filter(({ due }) => due === 0).map(({ entry }) => entry);
    const indexed = await (areNew ? this.#delayed.add(epoch, timed) : this.#delayed.index(epoch, timed));
    for (const listed of [indexed, await this.#append(epoch, entries)]) {
      if (listed === "gone") throw this.#store.lost(bulk);
      if (listed === "full") throw new MemqError("QUEUE_FULL", fullReason(this.#parts));
    }
    await this.#control(epoch, bulk);
  }

  async #append(epoch: string, entries: readonly string[]): Promise<Appended> {
    const { control, session } = this.#parts;
    const seen = control.latest;
    if (entries.length === 0) return "kept";
    if (seen?.control.epoch !== epoch) return "gone";
    const [answer] = await session.ask([this.#waiting.appending(seen, entries)]);
    const appended = await this.#waiting.appended(seen, entries, answer);
    if (appended !== "again") return appended;
    // They may have been appended after all: names that stand twice say so.
    return this.#waiting.append(epoch, answer?.kind === "unknown" ? entries.map(twice) : entries);
  }
}

const twice = (entry: string): string => againText(parseEntry(entry)?.name ?? entry);

/** As it was added: nobody has had it in hand. */
const isFresh = (record: StoredRecord | undefined): boolean =>
  record?.state === "ready" && !record.marked && record.members.every(({ text }) => text !== undefined);
