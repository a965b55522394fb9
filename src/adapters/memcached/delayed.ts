import { bucketEnd, bucketEntries, bucketOf, bucketText } from "./entries.ts";
import type { BucketEntry } from "./entries.ts";
import { againText } from "./entries.ts";
import type { Parts } from "./parts.ts";
import { itemOf } from "./session.ts";
import type { Appended, WaitingList } from "./waiting-list.ts";
import { listText } from "./waiting-list.ts";
import type { Operation } from "./wire.ts";

// The list of minutes is rewritten without those that have passed when it is longer than this.
const MINUTES_BYTES = 4_096;
// Gets in one round trip.
const BUCKETS_AT_ONCE = 500;

/** The delayed tasks: a bucket of names for every minute, and a list of the minutes that have one. */
export class Delayed {
  readonly #parts: Parts;
  readonly #waiting: WaitingList;

  constructor(parts: Parts, waiting: WaitingList) {
    this.#parts = parts;
    this.#waiting = waiting;
  }

  /**
   * Puts entries into their buckets, those that are due at once (0) into the waiting list. Whoever releases due tasks writes the control block first and reads the
   * bucket afterwards; here the bucket comes first and the block afterwards, so one of the two sees the other.
   */
  async index(epoch: string, entries: readonly BucketEntry[]): Promise<Appended> {
    if (entries.length === 0) return "kept";
    const { control } = this.#parts;
    const timed = entries.filter((entry) => entry.due > 0);
    for (const [minute, texts] of inBuckets(timed)) {
      if ((await this.#append(epoch, minute, texts)) === "full") return "full";
    }
    const seen = timed.length === 0 ? control.latest : await control.read();
    if (seen?.control.epoch !== epoch) return "gone";
    const late = entries.filter((entry) => entry.due <= seen.control.sweptTo);
    await this.#dropSwept(epoch, [...inBuckets(late.filter((entry) => entry.due > 0)).keys()]);
    return this.#waiting.append(
      epoch,
      late.map((entry) => againText(entry.name)),
    );
  }

  /** The minutes that have a bucket, from `first` on, in order. */
  async minutes(epoch: string, first: number): Promise<readonly number[]> {
    const item = await this.#parts.session.get(this.#parts.keys.minutes(epoch));
    const minutes = (item?.value.toString("latin1") ?? "")
      .split(",")
      .filter((text) => /^\d{1,12}$/.test(text));
    return [...new Set(minutes.map(Number))].filter((minute) => minute >= first).sort((a, b) => a - b);
  }

  /** The entries of buckets, one list for each minute. */
  async read(epoch: string, minutes: readonly number[]): Promise<readonly (readonly BucketEntry[])[]> {
    const read: (readonly BucketEntry[])[] = [];
    for (let from = 0; from < minutes.length; from += BUCKETS_AT_ONCE) {
      const keys = minutes
        .slice(from, from + BUCKETS_AT_ONCE)
        .map((minute) => this.#parts.keys.bucket(epoch, minute));
      const items = await this.#parts.session.getAll(keys);
      read.push(...items.map((item) => bucketEntries(item?.value.toString("latin1") ?? "")));
    }
    return read;
  }

  /** The first second after `sweptTo` at which something falls due. */
  async nextDue(epoch: string, sweptTo: number): Promise<number | undefined> {
    for (const minute of await this.minutes(epoch, bucketOf(sweptTo + 1))) {
      const [entries = []] = await this.read(epoch, [minute]);
      const due = entries.filter((entry) => entry.due > sweptTo).map((entry) => entry.due);
      if (due.length > 0) return due.reduce((a, b) => Math.min(a, b));
    }
    return undefined;
  }

  /** Deletes buckets that have been released, and forgets their minutes. */
  async drop(epoch: string, minutes: readonly number[]): Promise<void> {
    const { session, keys } = this.#parts;
    for (let from = 0; from < minutes.length; from += BUCKETS_AT_ONCE) {
      const some = minutes.slice(from, from + BUCKETS_AT_ONCE);
      await session.surely(some.map((minute) => ({ kind: "delete", key: keys.bucket(epoch, minute) })));
    }
    if (minutes.length > 0) await this.#forget(epoch, Math.max(...minutes));
  }

  async #append(epoch: string, minute: number, texts: readonly string[]): Promise<"kept" | "full"> {
    const { session, keys } = this.#parts;
    const key = keys.bucket(epoch, minute);
    const patience = session.patience();
    for (let refused = 0; refused < 2;) {
      // Repeated when unanswered: an entry that stands twice is harmless.
      const { answer } = await session.sure({ kind: "append", key, value: listText(texts) });
      if (answer.kind === "ok") return "kept";
      if (answer.kind !== "missing") return "full";
      // The same answer is given for "no memory"; but somebody else may just have added the bucket.
      if ((await session.get(key)) !== undefined) refused += 1;
      else if ((await this.#addBucket(epoch, minute)) === "full") return "full";
      await patience.again();
    }
    return "full";
  }

  // The minute first: a bucket nobody knows of would still be released, but not be listed.
  async #addBucket(epoch: string, minute: number): Promise<"added" | "full"> {
    const { session, keys } = this.#parts;
    const note: Operation = { kind: "append", key: keys.minutes(epoch), value: `${String(minute)},` };
    const { answer: noted } = await session.sure(note);
    if (noted.kind === "missing") {
      await session.surely([{ kind: "add", key: keys.minutes(epoch), value: "" }, note]);
    }
    const { answer } = await session.sure({ kind: "add", key: keys.bucket(epoch, minute), value: "" });
    return answer.kind === "full" ? "full" : "added";
  }

  // A bucket that came into being after its minute was released: what is in it has just gone to the waiting list.
  async #dropSwept(epoch: string, minutes: readonly number[]): Promise<void> {
    const block = this.#parts.control.latest?.control;
    if (block === undefined || block.stakes.some((stake) => stake.kind === "sweep")) return;
    await this.drop(
      epoch,
      minutes.filter((minute) => bucketEnd(minute) <= block.sweptTo),
    );
  }

  async #forget(epoch: string, upTo: number): Promise<void> {
    const { session, keys } = this.#parts;
    const key = keys.minutes(epoch);
    const item = itemOf((await session.sure({ kind: "get", key })).answer);
    if (item === undefined || item.value.length < MINUTES_BYTES) return;
    const left = new Set(
      item.value
        .toString("latin1")
        .split(",")
        .filter((text) => Number(text) > upTo),
    );
    const value = left.size === 0 ? "" : listText([...left]);
    await session.ask([{ kind: "replace", key, value, cas: item.cas }]); // refused: somebody else will do it
  }
}

function inBuckets(entries: readonly BucketEntry[]): ReadonlyMap<number, string[]> {
  const buckets = new Map<number, string[]>();
  for (const entry of entries) {
    const minute = bucketOf(entry.due);
    const texts = buckets.get(minute) ?? [];
    buckets.set(minute, texts);
    texts.push(bucketText(entry));
  }
  return buckets;
}
