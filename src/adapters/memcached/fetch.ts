import type { Claim, Finding } from "../../ports/broker.ts";
import type { Aftercare, Spot } from "./aftercare.ts";
import type { TaskStake } from "./control.ts";
import type { Seen } from "./control-store.ts";
import type { Ender } from "./ender.ts";
import { nameIn, parseEntry } from "./entries.ts";
import { goneAt } from "./gone-members.ts";
import { HeldClaim } from "./held-claim.ts";
import { HeldRecord, Hold } from "./hold.ts";
import type { HeldTask, ReadRecord } from "./hold.ts";
import { memberId } from "./names.ts";
import type { Parts } from "./parts.ts";
import type { Item } from "./session.ts";
import { openMembers, sortRecord } from "./sorting.ts";
import type { OpenedMember, Sorted } from "./sorting.ts";

/** What a stake turned out to hold. */
export interface Fetched {
  readonly hold: Hold;
  readonly findings: readonly Finding[];
}

/** A record that was met in a stake. */
interface Met extends Spot {
  readonly item: Item | undefined;
  readonly sorted: Sorted;
  /** Another owner had marked it, who does not hold it any more. */
  readonly wasMarked: boolean;
}

/** Opens the records of a stake: tasks to be handed out, and the rest that is seen to at once. */
export class Fetcher {
  readonly #parts: Parts;
  readonly #aftercare: Aftercare;
  readonly #ender: Ender;

  constructor(parts: Parts, tools: { readonly aftercare: Aftercare; readonly ender: Ender }) {
    this.#parts = parts;
    this.#aftercare = tools.aftercare;
    this.#ender = tools.ender;
  }

  /** The keys to read for a stake, in the order of its entries. */
  keys(stake: TaskStake, epoch: string): readonly string[] {
    return stake.entries.map((text) => this.#parts.keys.record(epoch, nameIn(text)));
  }

  /** @param seen the block as it was after the records had been read, or when the stake was written */
  async open(stake: TaskStake, items: readonly (Item | undefined)[], seen: Seen): Promise<Fetched> {
    const hold = new Hold(stake, seen.control.epoch);
    const findings: Finding[] = [];
    const names = new Set<string>();
    let missing = 0;
    for (const [place, text] of stake.entries.entries()) {
      if (text === "") continue; // it was given back, or struck out
      const entry = parseEntry(text);
      if (entry === undefined) {
        missing += 1;
        continue;
      }
      if (names.has(entry.name)) continue;
      names.add(entry.name);
      const item = items[place];
      const sorted = sortRecord(item, { stake, entry, sweptTo: seen.control.sweptTo });
      if (this.#openPlain(hold, { place, name: entry.name }, { sorted, item })) continue;
      const met = { hold, place, entry, item, sorted, wasMarked: false };
      const found = await this.#meet(sorted.kind === "elsewhere" ? await this.#lookAgain(met, seen) : met);
      if (found === "missing") missing += 1;
      else if (found !== undefined) findings.push(...found);
    }
    if (missing > 0) findings.push({ kind: "missing", count: missing });
    return { hold, findings };
  }

  /** The way of most records: their tasks may be run. False: look closer. */
  #openPlain(
    hold: Hold,
    { place, name }: { readonly place: number; readonly name: string },
    { sorted, item }: Pick<Met, "sorted" | "item">,
  ): boolean {
    if (sorted.kind !== "tasks" || item === undefined) return false;
    const { stake } = hold;
    const { stored } = sorted;
    if (stored.bundled && stake.generation > 0) return false;
    const members = openMembers(name, stored, { stake, place, codec: this.#parts.codec });
    if (!members.every(isTask)) return false;
    const record = new HeldRecord(hold, place, { name, stored, cas: item.cas });
    hold.records.push(record);
    for (const member of members) hold.order.push(holdTask(record, member));
    return true;
  }

  /** Whether those who are said to have it do: else nobody would ever see to it. */
  async #lookAgain(met: Met, { control }: Seen): Promise<Met> {
    const { hold, entry, item } = met;
    const sorted = sortRecord(item, { stake: hold.stake, entry, sweptTo: control.sweptTo, control });
    if (sorted.kind === "elsewhere") return met;
    // They may have taken it since the block was seen.
    const looked = await this.#aftercare.look(met);
    return { ...met, ...looked, wasMarked: true };
  }

  async #meet(met: Met): Promise<readonly Finding[] | "missing" | undefined> {
    const { entry, item, sorted } = met;
    if (sorted.kind === "missing") return sorted.counts ? "missing" : undefined;
    if (item === undefined) return undefined;
    if (sorted.kind !== "tasks") return this.#aftercare.seeTo(met, sorted, item);
    return this.#open(met, { name: entry.name, stored: sorted.stored, cas: item.cas });
  }

  /** Puts the tasks of a record into the hold. */
  async #open(met: Met, read: ReadRecord): Promise<readonly Finding[]> {
    const { hold, place } = met;
    const members = openMembers(read.name, read.stored, {
      stake: hold.stake,
      place,
      codec: this.#parts.codec,
    });
    const gone = goneAt(hold.stake.gone, place);
    if (members.some(({ opened }) => opened.kind === "newer")) {
      if (gone.size === 0) return this.#aftercare.park(met, members[0]?.id);
      hold.mustStand = true; // in a bucket nothing would tell who has left the bundle
      return [{ kind: "newer", id: members[0]?.id ?? read.name }];
    }
    const record = new HeldRecord(hold, place, read);
    record.leave([...gone]);
    hold.records.push(record);
    for (const member of members) hold.order.push(holdTask(record, member));
    const hadOwner = hold.stake.generation > 0 || met.wasMarked;
    if (hadOwner && read.stored.bundled) await this.#dropChildren(record);
    return this.#buryBroken(record, members);
  }

  async #buryBroken(record: HeldRecord, members: readonly OpenedMember[]): Promise<readonly Finding[]> {
    const broken = members.flatMap(({ opened, index, id }) => {
      if (opened.kind !== "broken") return [];
      const task = record.open.find((one) => one.index === index);
      return task === undefined ? [] : [{ task, id, reason: opened.reason }];
    });
    if (broken.length === 0) return [];
    await this.#ender.end(
      broken.map(({ task, reason }) => ({ task, outcome: { kind: "dead", reason } as const })),
    );
    return broken.map(({ id, reason }) => ({ kind: "buried", id, reason }));
  }

  // An owner that died may have given members records of their own, and died before it could say so.
  async #dropChildren(record: HeldRecord): Promise<void> {
    const { session, keys } = this.#parts;
    const { hold } = record;
    const indexes = record.open.map(({ index }) => index);
    const names = indexes.map((index) => memberId(record.name, index));
    const items = await session.getAll(names.map((name) => keys.record(hold.epoch, name)));
    for (const [at, index] of indexes.entries()) {
      const name = names[at];
      const item = items[at];
      if (item !== undefined && name !== undefined) await this.dropChild(record, index, { name, item });
    }
    if (record.gone.size > 0) await this.#ender.progress(record);
  }

  /** A member that has a record of its own is listed there, and leaves the bundle when the next one is settled. */
  async dropChild(
    record: HeldRecord,
    index: number,
    child: { readonly name: string; readonly item: Item },
  ): Promise<void> {
    const listed = await this.#aftercare.relist(record.hold, child);
    if (listed === "none") return;
    const task = record.open.find((one) => one.index === index);
    if (task !== undefined) record.letGo(task);
    // Unlisted it is found by its bundle alone, which must not go before.
    if (listed === "full") record.hold.mustStand = true;
    else record.leave([index]);
  }
}

const isTask = ({ opened }: OpenedMember): boolean => opened.kind === "task";

/** A task of a held record, ready to be handed out; one whose bytes are broken is there only to be buried. */
export function holdTask(record: HeldRecord, member: OpenedMember): HeldTask {
  const held = new PooledTask(record, member);
  record.add(held);
  return held;
}

class PooledTask implements HeldTask {
  readonly record: HeldRecord;
  readonly index: number;
  readonly claim: Claim;
  phase: HeldTask["phase"] = "pooled";
  isLoose = false;

  constructor(record: HeldRecord, { opened, index, id, attempt, isSuspect, isPresumed }: OpenedMember) {
    this.record = record;
    this.index = index;
    const task =
      opened.kind === "task" ? opened.task : { id, bornAt: record.stored.bornAt, method: "", args: [] };
    this.claim = new HeldClaim(this, task, {
      receipt: record.hold.receipt(),
      attempt,
      alone: isSuspect,
      isPresumed,
      askedFrom: record.stored.askedFrom,
    });
  }
}
