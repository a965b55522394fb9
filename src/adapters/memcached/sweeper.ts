import { bucketEnd, bucketOf, secondsIn } from "./bucket.ts";
import type { Bucket } from "./bucket.ts";
import { controlBytes, encodeControl } from "./control-codec.ts";
import { NAME_LETTERS } from "./control-store.ts";
import type { Control, SweepStake, TaskStake } from "./control.ts";
import { isSameStake, MOST_SWEEP_SECONDS } from "./control.ts";
import type { Delayed } from "./delayed.ts";
import { missingOf } from "./delayed-counts.ts";
import { againText } from "./entries.ts";
import type { Parts } from "./parts.ts";
import { decodeRecord } from "./record.ts";
import type { Item } from "./session.ts";
import type { Appended, WaitingList } from "./waiting-list.ts";

// Every bucket since the last sweep is read by a new owner: the queue's clock must not fall far behind.
const MOST_BEHIND_SECONDS = 3_600;
// Buckets that had nothing due are looked at again this often, whether they are noted or not.
const LOOK_AGAIN_SECONDS = 60;
// Names in one append.
const NAMES_AT_ONCE = 1_000;

// Tasks that are handed over in the block when there is no memory for a list.
const MOST_HANDED_OVER = 64;
// What whoever claims them writes beside them: a stake of its own, and marks.
const ROOM_BYTES = 320;

const NEVER_LOOKED = { epoch: "", all: 0, recent: 0 };

/** What came of a sweep. */
interface Swept {
  /** False: there was no memory, try again. */
  readonly isWhole: boolean;
  /** How many records were counted, at least, whose names do not stand there any more. */
  readonly lost: number;
}

/** Releases delayed tasks that have fallen due. */
export class Sweeper {
  readonly #parts: Parts;
  readonly #delayed: Delayed;
  readonly #waiting: WaitingList;
  readonly #beat: () => Promise<void>;
  /** What was found when it was looked last. */
  #looked = NEVER_LOOKED;

  constructor(
    parts: Parts,
    tools: {
      readonly delayed: Delayed;
      readonly waiting: WaitingList;
      /** Keeps the lease of whoever sweeps. */
      readonly beat: () => Promise<void>;
    },
  ) {
    this.#parts = parts;
    this.#delayed = tools.delayed;
    this.#waiting = tools.waiting;
    this.#beat = tools.beat;
  }

  /** Whether a sweep is to be made. At most one look a second, at the last minute; `mustLook`: at all of them. */
  async isDue(control: Control, now: number, mustLook: boolean): Promise<boolean> {
    if (now <= control.sweptTo) return false;
    if (now - control.sweptTo > MOST_BEHIND_SECONDS) return true;
    const isKnown = this.#looked.epoch === control.epoch;
    if (isKnown && this.#looked.recent === now && !mustLook) return false;
    const looksAtAll = !isKnown || now - this.#looked.all >= LOOK_AGAIN_SECONDS;
    const isDue = await this.#lookFor(control, now, { looksAtAll, mustLook });
    // What is due stays so until it is swept, which may be some steps later: then it has to be found again.
    this.#looked = isDue
      ? NEVER_LOOKED
      : { epoch: control.epoch, all: looksAtAll ? now : this.#looked.all, recent: now };
    return isDue;
  }

  /** Looks at all buckets since the last sweep, or at those that are noted and the last ones. */
  async #lookFor(
    { epoch, sweptTo }: Control,
    now: number,
    { looksAtAll, mustLook }: { readonly looksAtAll: boolean; readonly mustLook: boolean },
  ): Promise<boolean> {
    const minutes = minutesBetween(sweptTo + 1, now);
    const noted = !looksAtAll && mustLook ? await this.#delayed.minutes(epoch, bucketOf(sweptTo + 1)) : [];
    const recent = bucketOf(now - LOOK_AGAIN_SECONDS);
    const isLookedAt = (minute: number): boolean => looksAtAll || minute >= recent || noted.includes(minute);
    const buckets = await this.#delayed.read(epoch, minutes.filter(isLookedAt));
    return buckets.flatMap(secondsIn).some((second) => second > sweptTo && second <= now);
  }

  /** How far one sweep goes. */
  end(from: number, now: number): number {
    return Math.min(now, from + MOST_SWEEP_SECONDS);
  }

  /** Moves what a stake covers into the waiting list. */
  async sweep(stake: SweepStake, epoch: string): Promise<Swept> {
    const minutes = minutesBetween(stake.from + 1, stake.to);
    const { counts } = await this.#delayed.counts.read(epoch);
    const buckets = await this.#delayed.read(epoch, minutes);
    const standing = new Map<number, number>();
    let isFull = false;
    for await (const names of this.#dueIn(stake, { epoch, standing }, buckets)) {
      const appended: Appended = isFull ? "full" : await this.#waiting.append(epoch, names.map(againText));
      if (appended === "gone") return { isWhole: true, lost: 0 };
      isFull = appended === "full";
      if (isFull && (await this.#handOver(stake, epoch, names))) break;
      await this.#beat(); // a million names take longer than a lease
    }
    if (isFull) return { isWhole: false, lost: 0 };
    await this.#drop(
      stake,
      epoch,
      buckets.filter((bucket) => secondsIn(bucket).length > 0).map(({ minute }) => minute),
    );
    // Of a stake that was taken over somebody may have deleted buckets, and died before it was gone.
    const lost = stake.generation > 0 ? 0 : missingOf(counts, standing, isIn(stake));
    return { isWhole: true, lost };
  }

  /**
   * Without memory for a list some of the tasks are handed to whoever claims next, in the block itself: what is run
   * makes room for the others. False: none of them is to be run any more, or by others.
   */
  async #handOver({ to }: SweepStake, epoch: string, names: readonly string[]): Promise<boolean> {
    const { session, keys, control, random } = this.#parts;
    const items = await session.getAll(names.map((name) => keys.record(epoch, name)));
    const due = names.filter((_, at) => isDueAt(to, items[at]));
    if (due.length === 0) return false;
    const id = random(NAME_LETTERS);
    const seen = await control.change((block) => {
      if (block.epoch !== epoch || block.stakes.some((one) => one.id === id)) return undefined;
      const taken = new Set(block.stakes.flatMap((one) => (one.kind === "tasks" ? one.entries : [])));
      const free = [...new Set(due)].map(againText).filter((text) => !taken.has(text));
      return withAsManyAsFit(block, id, free);
    });
    return seen?.control.stakes.some((one) => one.id === id) === true;
  }

  /** The names that a stake covers, some at a time, soonest first; how many of each second goes into `standing`. */
  async *#dueIn(
    stake: SweepStake,
    { epoch, standing }: { readonly epoch: string; readonly standing: Map<number, number> },
    buckets: readonly Bucket[],
  ): AsyncGenerator<readonly string[]> {
    const names: string[] = [];
    for (const bucket of buckets) {
      for await (const { due, entries } of this.#delayed.stretches(epoch, bucket, isIn(stake))) {
        standing.set(due, (standing.get(due) ?? 0) + entries.length);
        names.push(...entries.map(({ name }) => name));
        while (names.length >= NAMES_AT_ONCE) yield names.splice(0, NAMES_AT_ONCE);
      }
    }
    if (names.length > 0) yield names;
  }

  /** Deletes the buckets that are released to their end, and that no other sweep still reads. */
  async #drop(stake: SweepStake, epoch: string, minutes: readonly number[]): Promise<void> {
    const control = (await this.#parts.control.read())?.control;
    if (control?.epoch !== epoch || !control.stakes.some((one) => isSameStake(one, stake))) return;
    const others = control.stakes.filter((one) => one.kind === "sweep" && one.id !== stake.id);
    const isFree = (minute: number): boolean =>
      bucketEnd(minute) <= control.sweptTo &&
      !others.some((other) => other.kind === "sweep" && covers(other, minute));
    await this.#delayed.drop(epoch, minutes.filter(isFree));
  }
}

function isDueAt(second: number, item: Item | undefined): boolean {
  const decoded = item && decodeRecord(item.value);
  return decoded?.kind === "record" && decoded.record.state === "ready" && decoded.record.due <= second;
}

/** A stake of the first entries that is anybody's; the block must not outgrow its size, for which memory is set aside. */
function withAsManyAsFit(block: Control, id: string, entries: readonly string[]): Control | undefined {
  const most = controlBytes(encodeControl(block));
  for (let count = Math.min(entries.length, MOST_HANDED_OVER); count > 0; count = Math.floor(count / 2)) {
    const stake: TaskStake = {
      kind: "tasks",
      id,
      owner: "",
      generation: 0,
      entries: entries.slice(0, count),
      loose: 0,
    };
    const next = { ...block, stakes: [...block.stakes, stake] };
    if (controlBytes(encodeControl(next).trimEnd(), ROOM_BYTES) <= most) return next;
  }
  return undefined;
}

const isIn =
  ({ from, to }: SweepStake) =>
  (second: number): boolean =>
    second > from && second <= to;

const covers = ({ from, to }: SweepStake, minute: number): boolean =>
  bucketOf(from + 1) <= minute && minute <= bucketOf(to);

function minutesBetween(first: number, last: number): readonly number[] {
  const from = bucketOf(first);
  return Array.from({ length: Math.max(0, bucketOf(last) - from + 1) }, (_, index) => from + index);
}
