import { bucketOf } from "./bucket.ts";
import type { Control } from "./control.ts";
import type { Delayed } from "./delayed.ts";
import { missingOf } from "./delayed-counts.ts";
import type { Counts } from "./delayed-counts.ts";
import type { Parts } from "./parts.ts";
import type { Item } from "./session.ts";

const NONE = (): boolean => false;

// Two days, if every minute has a bucket; what is due later is looked at later.
const MOST_MINUTES = 2_880;

/** Names that the server has thrown away. */
interface Missing {
  readonly epoch: string;
  readonly count: number;
  readonly item: Item;
  /** What the counts are without them. */
  readonly left: Counts;
}

/** Delayed tasks whose bucket, or a part of it, is not there any more: nobody will ever release them. */
export class Vanished {
  readonly #parts: Parts;
  readonly #delayed: Delayed;

  constructor(parts: Parts, delayed: Delayed) {
    this.#parts = parts;
    this.#delayed = delayed;
  }

  /** How many there are of those that are not due yet, at least. Nothing is read unless the last look at the buckets missed some. */
  async count(): Promise<number> {
    return (await this.#find())?.count ?? 0;
  }

  /** Adds them to the tasks that the control block says were lost: whoever gets there first. */
  async tell(): Promise<void> {
    const missing = await this.#find();
    if (missing === undefined) return;
    const { epoch, count, item, left } = missing;
    if (!(await this.#delayed.counts.replace(epoch, item, { counts: left, isPassed: NONE }))) return;
    let before: number | undefined;
    await this.#parts.control.change((control) => {
      // A write that was not answered may have been done: rather told as fewer than twice.
      const isDone = control.epoch !== epoch || (before !== undefined && control.lost !== before);
      before = control.lost;
      return isDone ? undefined : { ...control, lost: control.lost + count };
    });
  }

  async #find(): Promise<Missing | undefined> {
    const { control } = this.#parts;
    const { counts: counting } = this.#delayed;
    const before = counting.isAnyMissing ? (await control.read())?.control : undefined;
    if (before === undefined) return undefined;
    const { counts, item } = await counting.read(before.epoch);
    if (item === undefined) return undefined;
    const minutes = minutesOf(counts, before.sweptTo);
    const standing = await this.#standing(before, minutes);
    // Last: whoever releases a second says so in the block before the bucket may go.
    const after = (await control.read())?.control;
    if (after?.epoch !== before.epoch) return undefined;
    const isAsked = (second: number): boolean => second > after.sweptTo && minutes.includes(bucketOf(second));
    const count = missingOf(counts, standing, isAsked);
    const left = new Map(
      [...counts].map(([second, counted]) => [
        second,
        isAsked(second) ? Math.min(counted, standing.get(second) ?? 0) : counted,
      ]),
    );
    return count === 0 ? undefined : { epoch: before.epoch, count, item, left };
  }

  async #standing({ epoch, sweptTo }: Control, minutes: readonly number[]): Promise<Counts> {
    const standing = new Map<number, number>();
    for (const bucket of await this.#delayed.read(epoch, minutes)) {
      for await (const { due, entries } of this.#delayed.stretches(
        epoch,
        bucket,
        (second) => second > sweptTo,
      )) {
        standing.set(due, (standing.get(due) ?? 0) + entries.length);
      }
    }
    return standing;
  }
}

function minutesOf(counts: Counts, after: number): readonly number[] {
  const later = [...counts.keys()].filter((second) => second > after).map(bucketOf);
  return [...new Set(later)].sort((a, b) => a - b).slice(0, MOST_MINUTES);
}
