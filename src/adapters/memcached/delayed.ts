import {
  bucketEnd,
  bucketEntries,
  bucketOf,
  bucketPartText,
  bucketText,
  readBucket,
  secondsIn,
} from "./bucket.ts";
import type { Bucket, BucketEntry, BucketPart } from "./bucket.ts";
import { BucketWriter } from "./bucket-writer.ts";
import { DelayedCounts } from "./delayed-counts.ts";
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

/** The entries whose names lead to something. */
async function without(
  entries: readonly BucketEntry[],
  gone: (names: readonly string[]) => Promise<ReadonlySet<string>>,
): Promise<readonly BucketEntry[]> {
  const left: BucketEntry[] = [];
  for (let from = 0; from < entries.length; from += BUCKETS_AT_ONCE) {
    const some = entries.slice(from, from + BUCKETS_AT_ONCE);
    const names = await gone([...new Set(some.map(({ name }) => name))]);
    left.push(...some.filter(({ name }) => !names.has(name)));
  }
  return left;
}

const NOTHING = (): readonly Operation[] => [];

/** Entries of one second. */
export interface Stretch {
  readonly due: number;
  /** The part that they stand in, all of it. */
  readonly part?: string;
  readonly entries: readonly BucketEntry[];
}

/** The delayed tasks: a bucket of names for every minute, and a list of the minutes that have one. */
export class Delayed {
  readonly #parts: Parts;
  readonly #waiting: WaitingList;
  readonly #writer: BucketWriter;
  readonly counts: DelayedCounts;

  constructor(parts: Parts, waiting: WaitingList) {
    this.#parts = parts;
    this.counts = new DelayedCounts(parts);
    this.#waiting = waiting;
    this.#writer = new BucketWriter(parts);
  }

  /**
   * Puts entries into their buckets, those that are due at once (0) into the waiting list. Whoever releases due
   * tasks writes the control block first and reads the bucket afterwards; here the bucket comes first and the block
   * afterwards, so one of the two sees the other.
   */
  index(epoch: string, entries: readonly BucketEntry[]): Promise<Appended> {
    return this.#index(epoch, entries, NOTHING);
  }

  /** `index` for records that certainly stand in no bucket yet: they are counted, so that their loss is. */
  add(epoch: string, entries: readonly BucketEntry[]): Promise<Appended> {
    return this.#index(epoch, entries, (timed) =>
      this.counts.counting(
        epoch,
        timed.map(({ due }) => due),
      ),
    );
  }

  async #index(
    epoch: string,
    entries: readonly BucketEntry[],
    counting: (timed: readonly BucketEntry[]) => readonly Operation[],
  ): Promise<Appended> {
    if (entries.length === 0) return "kept";
    const { control, session } = this.#parts;
    const timed = entries.filter((entry) => entry.due > 0);
    if (timed.length > 0 && (await this.#writer.append(epoch, timed)) === "full") return "full";
    const counts = counting(timed);
    const [looked, ...counted] = timed.length === 0 ? [] : await session.ask([control.look, ...counts]);
    const seen = timed.length === 0 ? control.latest : await control.take(looked);
    await this.counts.counted(counts, counted);
    if (seen?.control.epoch !== epoch) return "gone";
    const late = entries.filter((entry) => entry.due <= seen.control.sweptTo);
    const minutes = late.filter((entry) => entry.due > 0).map((entry) => bucketOf(entry.due));
    await this.#dropSwept(epoch, [...new Set(minutes)]);
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

  /** The buckets of minutes, without what stands in their parts. */
  async read(epoch: string, minutes: readonly number[]): Promise<readonly Bucket[]> {
    const read: Bucket[] = [];
    for (let from = 0; from < minutes.length; from += BUCKETS_AT_ONCE) {
      const some = minutes.slice(from, from + BUCKETS_AT_ONCE);
      const items = await this.#parts.session.getAll(
        some.map((minute) => this.#parts.keys.bucket(epoch, minute)),
      );
      for (const [at, minute] of some.entries())
        read.push(readBucket(minute, items[at]?.value.toString("latin1") ?? ""));
    }
    return read;
  }

  /** What stands in parts of a bucket, one list for each. */
  async readParts(
    epoch: string,
    minute: number,
    parts: readonly string[],
  ): Promise<readonly (readonly BucketEntry[])[]> {
    const { session, keys } = this.#parts;
    const items = await session.getAll(parts.map((part) => keys.bucketPart(epoch, minute, part)));
    return items.map((item) => bucketEntries(item?.value.toString("latin1") ?? ""));
  }

  /** What stands in a bucket for some of its seconds, soonest first: of each second first what is not in a part. */
  async *stretches(
    epoch: string,
    { minute, entries, parts }: Bucket,
    isWanted: (second: number) => boolean,
  ): AsyncGenerator<Stretch> {
    const seconds = [...new Set(secondsIn({ minute, entries, parts }))].filter(isWanted);
    for (const due of seconds.sort((a, b) => a - b)) {
      yield { due, entries: entries.filter((entry) => entry.due === due) };
      for (const { part } of parts.filter(({ second }) => second === due)) {
        const [inPart = []] = await this.readParts(epoch, minute, [part]);
        yield { due, part, entries: inPart };
      }
    }
  }

  /**
   * Takes names out of a bucket and its parts; `gone`: which of some names lead to nothing. What is written
   * meanwhile stays, and so does then all that stands beside it.
   */
  async thin(
    epoch: string,
    minute: number,
    gone: (names: readonly string[]) => Promise<ReadonlySet<string>>,
  ): Promise<void> {
    const { session, keys } = this.#parts;
    const key = keys.bucket(epoch, minute);
    const item = await session.get(key);
    if (item === undefined) return;
    const { entries, parts } = readBucket(minute, item.value.toString("latin1"));
    const left: BucketPart[] = [];
    for (const part of parts) if (!(await this.#dropPart({ epoch, minute, part }, gone))) left.push(part);
    const own = await without(entries, gone);
    const texts = [...own.map(bucketText), ...left.map(bucketPartText)];
    if (own.length === entries.length && left.length === parts.length) return;
    const value = texts.length === 0 ? "" : listText(texts);
    await session.ask([{ kind: "replace", key, value, cas: item.cas }]); // refused: the names lead to nothing
  }

  /** Deletes a part when nothing in it leads to anything; false: it stays. */
  async #dropPart(
    { epoch, minute, part }: { readonly epoch: string; readonly minute: number; readonly part: BucketPart },
    gone: (names: readonly string[]) => Promise<ReadonlySet<string>>,
  ): Promise<boolean> {
    const { session, keys } = this.#parts;
    const key = keys.bucketPart(epoch, minute, part.part);
    const item = await session.get(key);
    if (item === undefined) return true;
    const left = await without(bucketEntries(item.value.toString("latin1")), gone);
    if (left.length > 0) return false;
    const { answer } = await session.sure({ kind: "delete", key, cas: item.cas });
    return answer.kind !== "exists"; // somebody has just appended to it
  }

  /** Deletes buckets that have been released, and forgets their minutes. */
  async drop(epoch: string, minutes: readonly number[]): Promise<void> {
    const { session, keys } = this.#parts;
    const partsOf = ({ minute, parts }: Bucket): readonly string[] =>
      [...new Set([...parts.map(({ part }) => part), ...this.#writer.known(minute)])].map((part) =>
        keys.bucketPart(epoch, minute, part),
      );
    const parts = (await this.read(epoch, minutes)).flatMap(partsOf);
    for (const minute of minutes) this.#writer.forget(minute);
    // The parts first: without their bucket nobody would know of them.
    const gone = [...parts, ...minutes.map((minute) => keys.bucket(epoch, minute))];
    for (let from = 0; from < gone.length; from += BUCKETS_AT_ONCE) {
      const some = gone.slice(from, from + BUCKETS_AT_ONCE);
      await session.surely(some.map((key) => ({ kind: "delete", key })));
    }
    if (minutes.length === 0) return;
    await this.#forget(epoch, Math.max(...minutes));
    await this.counts.tidy(epoch, bucketEnd(Math.max(...minutes)));
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
