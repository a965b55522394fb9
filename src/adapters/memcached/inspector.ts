import type { Depth, Idle } from "../../ports/broker.ts";
import type { TaskRecord, TaskState } from "../../task/task.ts";
import type { Control } from "./control.ts";
import type { Delayed } from "./delayed.ts";
import { takeInventory } from "./inventory.ts";
import type { Inventory } from "./inventory.ts";
import { isName, keyedName, keyedNameOf, memberOf, memberId, taskIdOf } from "./names.ts";
import { heartbeatsOf } from "./owner.ts";
import type { Parts } from "./parts.ts";
import { Stakes } from "./places.ts";
import type { Place } from "./places.ts";
import { decodeRecord } from "./record.ts";
import type { StoredRecord } from "./record.ts";
import type { Item } from "./session.ts";

/** A task as it was found: in which record, where. */
export interface Shown {
  /** Of the record. */
  readonly name: string;
  readonly place: Place;
  readonly record: TaskRecord;
}

/** Looks at tasks without touching them. */
export class Inspector {
  readonly #parts: Parts;
  readonly #delayed: Delayed;
  readonly #leaseMs: number;

  constructor(parts: Parts, delayed: Delayed, leaseMs: number) {
    this.#parts = parts;
    this.#delayed = delayed;
    this.#leaseMs = leaseMs;
  }

  /** Exact up to some hundred tasks; beyond that doubled, cancelled and settled names are counted as well. */
  async depth(): Promise<Depth> {
    const [seen] = await Promise.all([this.#parts.control.read(), this.#parts.time.known()]);
    if (seen === undefined) return { waiting: 0, delayed: 0, running: 0, dead: 0 };
    const { control } = seen;
    const inventory = await takeInventory(this.#parts, this.#delayed, control);
    const counted = await this.#count(control, inventory);
    return { ...counted, ...this.#pause(control) };
  }

  /** Why there is nothing to claim; `isMine`: stakes of this owner. */
  async idle(control: Control | undefined, isMine: (stakeId: string) => boolean): Promise<Idle> {
    if (control === undefined) return { kind: "empty" };
    const { time } = this.#parts;
    const others = control.stakes.filter((stake) => stake.owner !== "" && !isMine(stake.id));
    const inventory = await takeInventory(this.#parts, this.#delayed, { ...control, stakes: others });
    const { running, nextDueAt } = await this.#count({ ...control, stakes: others }, inventory);
    if (running > 0) return { kind: "held", count: running, ...(nextDueAt !== undefined && { nextDueAt }) };
    const next = inventory.nextDue;
    if (nextDueAt !== undefined) return { kind: "due", at: nextDueAt };
    return next === undefined ? { kind: "empty" } : { kind: "due", at: time.local(next) };
  }

  async find(id: string): Promise<TaskRecord | undefined> {
    return (await this.showIds([id])).get(id)?.record;
  }

  /** Those of the tasks that are there, by their ids. */
  async showIds(ids: readonly string[]): Promise<ReadonlyMap<string, Shown>> {
    const asked = ids.filter(isName);
    const shown = await this.show([...new Set(asked.flatMap(namesOf))]);
    const known = new Set(asked);
    return new Map(shown.filter(({ record }) => known.has(record.id)).map((one) => [one.record.id, one]));
  }

  /** The unfinished task of a key, else the dead letter that was buried last. */
  async findKey(key: string): Promise<TaskRecord | undefined> {
    const name = keyedName(key);
    const [living] = await this.show([name]);
    if (living !== undefined) return living.record;
    const control = this.#parts.control.latest?.control;
    const names = control === undefined ? [] : await this.#deadNames(control, `${name}-`);
    const dead = (await this.show(names)).map(({ record }) => record);
    return dead.sort((a, b) => b.at - a.at)[0];
  }

  /** The tasks in records of these names, in this order; those that are not there are left out. */
  async show(names: readonly string[]): Promise<readonly Shown[]> {
    if (names.length === 0) return [];
    const { control, session, keys, time } = this.#parts;
    await time.known();
    const seen = await control.read();
    if (seen === undefined) return [];
    const items = await session.getAll(names.map((name) => keys.record(seen.control.epoch, name)));
    const stakes = new Stakes(seen.control);
    const shown = names.flatMap((name, index) => this.#show(name, items[index], stakes));
    return this.#withHolders(shown);
  }

  #show(name: string, item: Item | undefined, stakes: Stakes): readonly Shown[] {
    if (item === undefined) return [];
    const decoded = decodeRecord(item.value);
    const { clock, time } = this.#parts;
    if (decoded.kind !== "record") {
      const record = { id: name, state: "waiting", attempts: 0, at: clock.now() } as const;
      return [{ name, place: { state: "waiting" }, record }];
    }
    const place = stakes.placeOf(name, decoded.record, time.now());
    if (place === undefined) return [];
    return decoded.record.members.flatMap((_, index) =>
      stakes.isGone(name, index) ? [] : this.#showMember(name, decoded.record, { index, place }),
    );
  }

  #showMember(
    name: string,
    stored: StoredRecord,
    { index, place }: { readonly index: number; readonly place: Place },
  ): readonly Shown[] {
    const member = stored.members[index];
    if (member?.text === undefined) return [];
    const id = stored.bundled ? memberId(name, index) : taskIdOf(name, stored.nonce);
    const opened = this.#parts.codec.open(id, stored.bornAt, member.text);
    const record: TaskRecord = {
      id,
      state: place.state,
      ...(opened.kind === "task" && { task: opened.task }),
      ...(opened.kind === "broken" && { fault: opened.reason }),
      attempts: member.attempts,
      at: this.#at(stored, place.state),
      ...(stored.error !== undefined && { error: stored.error }),
    };
    return [{ name, place, record }];
  }

  #at(stored: StoredRecord, state: TaskState): number {
    const { clock, time } = this.#parts;
    switch (state) {
      case "running":
        return clock.now() + this.#leaseMs; // at the latest: when it was renewed is not on record
      case "dead":
        return stored.buriedAt ?? stored.bornAt;
      default:
        return stored.due > 0 ? time.local(stored.due) : stored.bornAt;
    }
  }

  async #withHolders(shown: readonly Shown[]): Promise<readonly Shown[]> {
    const owners = [...new Set(shown.flatMap(({ place }) => place.stake?.owner ?? []))];
    if (owners.length === 0) return shown;
    const beats = await heartbeatsOf(this.#parts, owners);
    const now = this.#parts.clock.now();
    return shown.map((one) => {
      const owner = one.place.stake?.owner;
      if (owner === undefined) return one;
      const { alive, holder } = beats.get(owner) ?? { alive: false };
      // Nobody renews the lease of a dead one: it has ended, for whoever claims next.
      const known = alive
        ? { holder: holder ?? owner }
        : { at: now, ...(holder !== undefined && { holder }) };
      return { ...one, record: { ...one.record, ...known } };
    });
  }

  async #count(control: Control, inventory: Inventory): Promise<Omit<Depth, "pausedUntil">> {
    if (inventory.names === undefined) return this.#rough(inventory);
    const { session, keys, time } = this.#parts;
    const items = await session.getAll(inventory.names.map((name) => keys.record(control.epoch, name)));
    const stakes = new Stakes(control);
    const shown = inventory.names.flatMap((name, index) => this.#show(name, items[index], stakes));
    const ats = (state: TaskState): readonly number[] =>
      shown.filter(({ place }) => place.state === state).map(({ record }) => record.at);
    const waiting = ats("waiting");
    const delayed = ats("delayed").filter((at) => at > time.local(time.now()));
    return {
      waiting: waiting.length,
      delayed: ats("delayed").length,
      running: ats("running").length,
      dead: ats("dead").length,
      ...(waiting.length > 0 && { oldestWaitingAt: Math.min(...waiting) }),
      ...(delayed.length > 0 && { nextDueAt: Math.min(...delayed) }),
    };
  }

  async #rough({
    waiting,
    delayed,
    running,
    dead,
    first,
    nextDue,
  }: Inventory): Promise<Omit<Depth, "pausedUntil">> {
    const [oldest] = first === undefined ? [] : await this.show([first]);
    return {
      waiting,
      delayed,
      running,
      dead,
      ...(oldest !== undefined && { oldestWaitingAt: oldest.record.at }),
      ...(nextDue !== undefined && { nextDueAt: this.#parts.time.local(nextDue) }),
    };
  }

  #pause({ pausedUntilMs }: Control): Pick<Depth, "pausedUntil"> {
    const { time, clock } = this.#parts;
    if (pausedUntilMs === undefined || pausedUntilMs <= time.serverMs(clock.now())) return {};
    return { pausedUntil: time.localMs(pausedUntilMs) };
  }

  async #deadNames(control: Control, prefix: string): Promise<readonly string[]> {
    const { session, keys } = this.#parts;
    const items = await session.getAll(control.deadLists.map(({ name }) => keys.list(control.epoch, name)));
    const names = items.flatMap((item) => (item?.value.toString("latin1") ?? "").split(","));
    return [...new Set(names.filter((name) => name.startsWith(prefix)))];
  }
}

/** Of the records that a task of that id may be in. */
function namesOf(id: string): readonly string[] {
  const keyed = keyedNameOf(id);
  if (keyed !== undefined) return [keyed, id];
  const bundle = memberOf(id)?.bundle;
  return bundle === undefined ? [id] : [id, bundle];
}
