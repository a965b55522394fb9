import { MemqError } from "../../errors.ts";
import type { Cancelled } from "../../ports/broker.ts";
import { becomes } from "./becomes.ts";
import type { Delayed } from "./delayed.ts";
import type { DelayedCounts } from "./delayed-counts.ts";
import { isKeyed, keyedNameOf, memberId, memberOf, taskIdOf } from "./names.ts";
import type { Parts } from "./parts.ts";
import type { Control, TaskStake } from "./control.ts";
import { parseEntry } from "./entries.ts";
import { Stakes } from "./places.ts";
import type { Place } from "./places.ts";
import { decodeRecord, encodeRecord } from "./record.ts";
import type { StoredRecord } from "./record.ts";
import { itemOf } from "./session.ts";
import type { Item } from "./session.ts";
import type { Operation } from "./wire.ts";

// Each is a change by somebody else between reading and writing.
const MOST_ROUNDS = 20;

/** A task that is to be cancelled: the record it is in and, in a bundle, its place. */
interface Target {
  readonly name: string;
  readonly index: number;
  readonly id: string;
}

/** A target as it was read. */
interface Found extends Target {
  readonly stored: StoredRecord;
  readonly item: Item;
}

/** Removes tasks that are not running. */
export class Canceller {
  readonly #parts: Parts;
  readonly #counts: DelayedCounts;

  constructor(parts: Parts, { counts }: Pick<Delayed, "counts">) {
    this.#parts = parts;
    this.#counts = counts;
  }

  async cancel(id: string): Promise<Cancelled> {
    for (const target of targetsOf(id)) {
      const cancelled = await this.#cancel(target);
      if (cancelled !== "absent") return cancelled;
    }
    return "absent";
  }

  async #cancel(target: Target): Promise<Cancelled> {
    for (let round = 0; round < MOST_ROUNDS; round++) {
      const cancelled = await this.#try(target);
      if (cancelled !== "again") return cancelled;
    }
    return "running"; // it is changed all the time, so somebody has it
  }

  async #try(target: Target): Promise<Cancelled | "again"> {
    const { control, session, keys } = this.#parts;
    const seen = await control.read();
    if (seen === undefined) return "absent";
    const { epoch } = seen.control;
    const [read, block] = await session.surely([
      { kind: "get", key: keys.record(epoch, target.name) },
      control.look,
    ]);
    const item = itemOf(read?.answer);
    const now = await control.take(block?.answer);
    if (item === undefined || now === undefined) return "absent";
    const decoded = decodeRecord(item.value);
    if (decoded.kind !== "record") return this.#remove(target, epoch, item);
    await this.#parts.time.known();
    return this.#tryFound({ ...target, stored: decoded.record, item }, now.control);
  }

  async #tryFound(found: Found, control: Control): Promise<Cancelled | "again"> {
    const place = isThere(found) && !isGone(found, control) ? this.#placeOf(found, control) : undefined;
    if (place === undefined) return "absent";
    if (place.state === "running") return "running";
    const { epoch } = control;
    return found.stored.state === "dead"
      ? this.#remove(found, epoch, found.item)
      : this.#withdraw(found, epoch);
  }

  #placeOf({ name, stored }: Found, control: Control): Place | undefined {
    return new Stakes(control).placeOf(name, stored, this.#parts.time.now());
  }

  /** Nobody starts what says that it is cancelled; only then it is certain whether somebody had claimed it. */
  async #withdraw(found: Found, epoch: string): Promise<Cancelled | "again"> {
    const { session, keys } = this.#parts;
    const { name, stored, index, item } = found;
    if (stored.due > 0) await this.#counts.takeBack(epoch, stored.due);
    const next = stored.bundled ? becomes.lacking(stored, index) : becomes.cancelled(stored);
    const value = encodeRecord(next);
    const key = keys.record(epoch, name);
    const replace: Operation = { kind: "replace", key, value, cas: item.cas };
    const [answer] = await session.ask([replace]);
    if (answer?.kind === "full") return this.#removeWhole(found, epoch);
    const cas = answer?.kind === "ok" ? answer.cas : await this.#casOf(key, value);
    if (cas === undefined) return "again";
    if (await this.#mayRun(found, epoch)) return this.#restore(found, key, cas);
    await this.#tidy(found, key, cas);
    return "cancelled";
  }

  /**
   * Whether somebody has claimed it who may have started it, or may start it without a look at the record. Nobody
   * else starts what says that it is cancelled.
   */
  async #mayRun(found: Found, epoch: string): Promise<boolean> {
    const seen = await this.#parts.control.read();
    if (seen?.control.epoch !== epoch) return false;
    if (isGone(found, seen.control)) return true; // it was done meanwhile
    const place = this.#placeOf(found, seen.control);
    return place?.state === "running" && (place.stake === undefined || mayStart(found, place.stake));
  }

  /** Whoever has it goes on as if nothing had been asked. */
  async #restore({ stored }: Found, key: string, cas: bigint): Promise<"running"> {
    await this.#parts.session.ask([{ kind: "replace", key, value: encodeRecord(stored), cas }]);
    return "running"; // refused: it has ended meanwhile
  }

  // The name of a fresh record stands in a list once: what is left of it tells whoever comes by that nothing is
  // missing. All others are listed in ways that need no such sign.
  async #tidy({ stored, name }: Found, key: string, cas: bigint): Promise<void> {
    const isFresh = !stored.marked && !isKeyed(name);
    if (!isFresh && !stored.bundled) await this.#parts.session.sure({ kind: "delete", key, cas });
  }

  /** The version of a record, when it has that value. */
  async #casOf(key: string, value: string): Promise<bigint | undefined> {
    const now = await this.#parts.session.get(key);
    return now?.value.equals(Buffer.from(value)) === true ? now.cas : undefined;
  }

  /** To take one task out of a bundle needs memory; a record of one can go as it is. */
  #removeWhole(found: Found, epoch: string): Promise<Cancelled | "again"> {
    if (!found.stored.bundled) return this.#remove(found, epoch, found.item);
    const { server } = this.#parts.session.wire;
    throw new MemqError(
      "QUEUE_FULL",
      `memcached at ${server} has no memory left to take one task out of those published with it`,
    );
  }

  async #remove({ name }: Target, epoch: string, { cas }: Item): Promise<Cancelled | "again"> {
    const { session, keys } = this.#parts;
    const { answer, repeated } = await session.sure({ kind: "delete", key: keys.record(epoch, name), cas });
    if (answer.kind === "ok" || (answer.kind === "missing" && repeated)) return "cancelled";
    return "again";
  }
}

/** Where a task of that id may be. */
function targetsOf(id: string): readonly Target[] {
  const own: Target = { name: id, index: 0, id };
  const keyed = keyedNameOf(id);
  if (keyed !== undefined) return [{ name: keyed, index: 0, id }, own];
  const member = memberOf(id);
  return member === undefined ? [own] : [own, { name: member.bundle, index: member.index, id }];
}

/** Its first owner marks a record before it starts what is in it, unless the stake says otherwise. */
function mayStart({ name, stored }: Found, stake: TaskStake): boolean {
  if (stake.generation > 0 || stake.loose > 0 || stored.run !== undefined) return true;
  const entry = stake.entries.findIndex((text) => parseEntry(text)?.name === name);
  return stake.marks?.some((mark) => mark.entry === entry) === true;
}

/** Whether it has left its bundle, which the record does not say. */
const isGone = ({ name, index, stored }: Found, control: Control): boolean =>
  stored.bundled && new Stakes(control).isGone(name, index);

/** Whether the record holds the task that is meant. */
function isThere({ name, id, index, stored }: Found): boolean {
  if (stored.members[index]?.text === undefined) return false;
  return (stored.bundled ? memberId(name, index) : taskIdOf(name, stored.nonce)) === id;
}
