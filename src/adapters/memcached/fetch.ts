import type { Finding } from "../../ports/broker.ts";
import { writerOf } from "./control.ts";
import type { TaskStake } from "./control.ts";
import type { Seen } from "./control-store.ts";
import type { DeadLetters } from "./dead-letters.ts";
import type { Delayed } from "./delayed.ts";
import type { Ender } from "./ender.ts";
import { parseEntry } from "./entries.ts";
import type { ListEntry } from "./entries.ts";
import { HeldRecord, Hold } from "./hold.ts";
import type { HeldTask, ReadRecord } from "./hold.ts";
import { isKeyed, memberId } from "./names.ts";
import type { Parts } from "./parts.ts";
import { decodeRecord } from "./record.ts";
import type { Item } from "./session.ts";
import { openMembers, sortRecord } from "./sorting.ts";
import type { OpenedMember } from "./sorting.ts";

/** What a stake turned out to hold. */
export interface Fetched {
  readonly hold: Hold;
  readonly findings: readonly Finding[];
}

/** A record that was met in a stake, and everything about where. */
interface Met {
  readonly hold: Hold;
  readonly place: number;
  readonly entry: ListEntry;
  readonly item: Item | undefined;
  readonly sweptTo: number;
}

// How long a record that only a newer version can read is put aside.
const PARK_SECONDS = 60;

/** Opens the records of a stake: tasks to be handed out, and the rest that is seen to at once. */
export class Fetcher {
  readonly #parts: Parts;
  readonly #delayed: Delayed;
  readonly #dead: DeadLetters;
  readonly #ender: Ender;

  constructor(
    parts: Parts,
    tools: { readonly delayed: Delayed; readonly dead: DeadLetters; readonly ender: Ender },
  ) {
    this.#parts = parts;
    this.#delayed = tools.delayed;
    this.#dead = tools.dead;
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
    const met = new Set<string>();
    let missing = 0;
    for (const [place, text] of stake.entries.entries()) {
      if (text === "") continue; // it was given back, or struck out
      const entry = parseEntry(text);
      if (entry === undefined) {
        missing += 1;
        continue;
      }
      if (met.has(entry.name)) continue;
      met.add(entry.name);
      const meeting = { hold, place, entry, item: items[place], sweptTo: seen.control.sweptTo };
      if (this.#openPlain(meeting)) continue;
      const found = await this.#meet(meeting);
      if (found === "missing") missing += 1;
      else if (found !== undefined) findings.push(...found);
    }
    if (missing > 0) findings.push({ kind: "missing", count: missing });
    return { hold, findings };
  }

  /** The way of most records: one task that may be run. False: look closer. */
  #openPlain({ hold, place, entry, item, sweptTo }: Met): boolean {
    if (item === undefined) return false;
    const sorted = sortRecord(item, { stake: hold.stake, entry, sweptTo });
    if (sorted.kind !== "tasks" || sorted.stored.bundled) return false;
    const { name } = entry;
    const [member] = openMembers(name, sorted.stored, { stake: hold.stake, place, codec: this.#parts.codec });
    if (member?.opened.kind !== "task") return false;
    const record = new HeldRecord(hold, place, { name, stored: sorted.stored, cas: item.cas });
    hold.records.push(record);
    hold.order.push(holdTask(record, member));
    return true;
  }

  async #meet(met: Met): Promise<readonly Finding[] | "missing" | undefined> {
    const { hold, entry, item } = met;
    const sorted = sortRecord(item, { stake: hold.stake, entry, sweptTo: met.sweptTo });
    switch (sorted.kind) {
      case "missing":
        return sorted.counts ? "missing" : undefined;
      case "elsewhere":
        return undefined;
      case "newer":
        return this.#park(met);
      case "broken":
        return item && this.#buryBytes(met, item);
      case "cancelled":
        await this.#parts.session.sure({
          kind: "delete",
          key: this.#parts.keys.record(hold.epoch, entry.name),
          cas: item?.cas ?? 0n,
        });
        return undefined;
      case "dead":
        return item && this.#listAgain(met, { name: entry.name, stored: sorted.stored, cas: item.cas });
      case "delayed":
        return this.#delayAgain(met, sorted.due);
      case "tasks":
        return item && this.#open(met, { name: entry.name, stored: sorted.stored, cas: item.cas });
    }
  }

  /** Puts the tasks of a record into the hold. */
  async #open(met: Met, read: ReadRecord): Promise<readonly Finding[]> {
    const { hold, place } = met;
    const members = openMembers(read.name, read.stored, {
      stake: hold.stake,
      place,
      codec: this.#parts.codec,
    });
    if (members.some(({ opened }) => opened.kind === "newer")) return this.#park(met, members[0]?.id);
    const record = new HeldRecord(hold, place, read);
    hold.records.push(record);
    for (const member of members) hold.order.push(holdTask(record, member));
    if (hold.stake.generation > 0 && read.stored.bundled) await this.#dropChildren(record);
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
    const { hold } = record;
    const decoded = decodeRecord(child.item.value);
    if (decoded.kind !== "record") return;
    const listed =
      decoded.record.state === "dead"
        ? await this.#dead.list(hold.epoch, [child.name])
        : await this.#delayed.index(hold.epoch, [
            { name: child.name, due: decoded.record.due, parked: false },
          ]);
    if (listed !== "kept") hold.mustStand = true;
    const task = record.open.find((one) => one.index === index);
    if (task !== undefined) record.letGo(task);
    record.leave([index]);
  }

  async #park({ hold, entry, place }: Met, id = entry.name): Promise<readonly Finding[]> {
    const due = this.#parts.time.now() + PARK_SECONDS;
    const parked = await this.#delayed.index(hold.epoch, [{ name: entry.name, due, parked: true }]);
    if (parked !== "kept") hold.mustStand = true;
    else hold.struck.add(place);
    return [{ kind: "newer", id }];
  }

  async #buryBytes({ hold, entry }: Met, item: Item): Promise<readonly Finding[]> {
    const reason = "the stored bytes are not a record";
    const failure = { attempts: 0, error: reason, writer: writerOf(hold.stake) };
    const buried = await this.#dead.buryBytes(hold.epoch, { name: entry.name, ...item }, failure);
    if (buried !== "kept") hold.mustStand = true;
    return [{ kind: "buried", id: entry.name, reason }];
  }

  // Whoever buried it may have died before it was listed.
  async #listAgain({ hold }: Met, dead: ReadRecord): Promise<undefined> {
    if (isKeyed(dead.name)) {
      if ((await this.#dead.free(hold.epoch, dead)) !== "kept") hold.mustStand = true;
    } else if (hold.stake.generation > 0) {
      if ((await this.#dead.list(hold.epoch, [dead.name])) !== "kept") hold.mustStand = true;
    }
  }

  async #delayAgain({ hold, entry }: Met, due: number): Promise<undefined> {
    if (hold.stake.generation === 0) return;
    const indexed = await this.#delayed.index(hold.epoch, [{ name: entry.name, due, parked: false }]);
    if (indexed !== "kept") hold.mustStand = true;
  }
}

const nameIn = (text: string): string => parseEntry(text)?.name ?? "-";

/** A task of a held record, ready to be handed out; one whose bytes are broken is there only to be buried. */
export function holdTask(record: HeldRecord, member: OpenedMember): HeldTask {
  const { opened, index, id } = member;
  const task =
    opened.kind === "task" ? opened.task : { id, bornAt: record.stored.bornAt, method: "", args: [] };
  const held: HeldTask = {
    record,
    index,
    task,
    claim: { task, receipt: record.receipt(index), attempt: member.attempt, alone: member.isSuspect },
    phase: "pooled",
    isLoose: false,
  };
  record.add(held);
  return held;
}
