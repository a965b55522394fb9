import { bucketEnd, bucketOf } from "./bucket.ts";
import type { Parts } from "./parts.ts";
import type { Item } from "./session.ts";
import { listText } from "./waiting-list.ts";
import type { Answer, Operation } from "./wire.ts";

/** How many records were delayed to each second, at least. */
export type Counts = ReadonlyMap<number, number>;

// Seconds that this process has counted; one that delays to more of them begins anew.
const MOST_KNOWN = 5_000;
// It is rewritten without what has passed when it is longer than this.
const COUNTS_BYTES = 4_096;

const COUNT = /^(\d{1,12})([+-])(\d{1,9})$/;
const VOID = /^\d{1,12}!$/;

/**
 * How many records were delayed to each second: `second+3` after three more were named in their bucket, `second-1` before
 * one is taken back, `minute!` before a whole minute is, which is never counted then: whoever names a record says so
 * a moment later, when it may have been taken back already. What stands in the buckets is never less, unless the server
 * has thrown some of it away. Whatever cannot be written here makes the counts smaller, never larger.
 */
export class DelayedCounts {
  readonly #parts: Parts;
  #epoch = "";
  /** Of this process: said, and not said yet. */
  readonly #own = new Map<number, { told: number; untold: number }>();
  #missing = false;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Whether the last look at all buckets missed something. */
  get isAnyMissing(): boolean {
    return this.#missing;
  }

  noteMissing(isAny: boolean): void {
    this.#missing = isAny;
  }

  /**
   * The operations that count records named just now; hand their answers to `counted`. None, where the same second was
   * counted often: then they are counted by doublings.
   */
  counting(epoch: string, seconds: readonly number[]): readonly Operation[] {
    if (this.#epoch !== epoch || this.#own.size > MOST_KNOWN) this.#own.clear();
    this.#epoch = epoch;
    const texts: string[] = [];
    for (const [second, more] of tally(seconds)) {
      const own = this.#own.get(second) ?? { told: 0, untold: 0 };
      this.#own.set(second, own);
      own.untold += more;
      if (own.untold < own.told) continue;
      texts.push(`${String(second)}+${String(own.untold)}`);
      own.told += own.untold;
      own.untold = 0;
    }
    return texts.length === 0 ? [] : [this.#appending(epoch, texts)];
  }

  /** Never sent twice: what was not answered may be counted. */
  async counted(operations: readonly Operation[], answers: readonly Answer[]): Promise<void> {
    const [operation] = operations;
    if (operation === undefined || answers[0]?.kind !== "missing") return;
    await this.#parts.session.ask([{ kind: "add", key: operation.key, value: "" }, operation]);
  }

  /** Before a record is taken back. */
  async takeBack(epoch: string, second: number): Promise<void> {
    const own = this.#epoch === epoch ? this.#own.get(second) : undefined;
    // As good as any other: one that was not counted yet never will be.
    if (own !== undefined && own.untold > 0) own.untold -= 1;
    else await this.#less(epoch, `${String(second)}-1`);
  }

  /** Before all of a minute is taken back: it is not counted any more. */
  forgetMinute(epoch: string, minute: number): Promise<void> {
    return this.#less(epoch, `${String(minute)}!`);
  }

  /** To be read before the buckets are: what is counted by then stands there by then. */
  async read(epoch: string): Promise<{ readonly counts: Counts; readonly item: Item | undefined }> {
    const item = await this.#parts.session.get(this.#key(epoch));
    return { counts: readCounts(item?.value.toString("latin1") ?? ""), item };
  }

  /** Puts other counts in the place of those that were read; false: somebody has written since. */
  async replace(
    epoch: string,
    { cas, value: before }: Item,
    { counts, isPassed }: { readonly counts: Counts; readonly isPassed: (minute: number) => boolean },
  ): Promise<boolean> {
    const voids = voidsIn(before.toString("latin1")).filter((text) => !isPassed(minuteIn(text)));
    const texts = [...[...counts].flatMap(countText), ...voids];
    const value = texts.length === 0 ? "" : listText(texts);
    const { session } = this.#parts;
    const [answer] = await session.ask([{ kind: "replace", key: this.#key(epoch), value, cas }]);
    if (answer?.kind !== "unknown") return answer?.kind === "ok";
    return (await session.get(this.#key(epoch)))?.value.toString("latin1") === value;
  }

  /** Forgets what was due up to a second, when there is much. */
  async tidy(epoch: string, upTo: number): Promise<void> {
    const { counts, item } = await this.read(epoch);
    if (item === undefined || item.value.length < COUNTS_BYTES) return;
    await this.replace(epoch, item, {
      counts: new Map([...counts].filter(([second]) => second > upTo)),
      isPassed: (minute) => bucketEnd(minute) <= upTo,
    });
  }

  // Where it finds no memory nothing is known any more: a count that is too high would tell of losses that are none.
  async #less(epoch: string, text: string): Promise<void> {
    const { session } = this.#parts;
    const appending = this.#appending(epoch, [text]);
    const { answer } = await session.sure(appending);
    if (answer.kind === "ok") return;
    const key = this.#key(epoch);
    const [, again] = await session.surely([{ kind: "add", key, value: "" }, appending]);
    if (again?.answer.kind !== "ok") await session.sure({ kind: "delete", key });
  }

  #appending(epoch: string, texts: readonly string[]): Operation {
    return { kind: "append", key: this.#key(epoch), value: listText(texts) };
  }

  #key(epoch: string): string {
    return this.#parts.keys.delayedCounts(epoch);
  }
}

/** What the item says. */
export function readCounts(text: string): Counts {
  const counts = new Map<number, number>();
  for (const one of text.split(",")) {
    const [, second, sign, count] = COUNT.exec(one) ?? [];
    if (second === undefined) continue;
    const more = Number(count) * (sign === "-" ? -1 : 1);
    counts.set(Number(second), (counts.get(Number(second)) ?? 0) + more);
  }
  const forgotten = new Set(voidsIn(text).map(minuteIn));
  return new Map([...counts].filter(([second]) => !forgotten.has(bucketOf(second))));
}

const voidsIn = (text: string): readonly string[] =>
  text.includes("!") ? [...new Set(text.split(",").filter((one) => VOID.test(one)))] : [];

const minuteIn = (text: string): number => Number(text.slice(0, -1));

const countText = ([second, count]: readonly [number, number]): readonly string[] =>
  count === 0 ? [] : [`${String(second)}${count < 0 ? "-" : "+"}${String(Math.abs(count))}`];

/** How many more were counted than stand there, second by second. */
export function missingOf(counts: Counts, standing: Counts, isAsked: (second: number) => boolean): number {
  let missing = 0;
  for (const [second, count] of counts) {
    if (isAsked(second)) missing += Math.max(0, count - (standing.get(second) ?? 0));
  }
  return missing;
}

/** How often each number comes. */
export function tally(numbers: readonly number[]): Map<number, number> {
  const times = new Map<number, number>();
  for (const number of numbers) times.set(number, (times.get(number) ?? 0) + 1);
  return times;
}
