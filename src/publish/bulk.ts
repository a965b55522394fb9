import { MemqError } from "../errors.ts";
import { MAX_BATCH } from "../ports/broker.ts";
import type { PublishOptions } from "./draft.ts";
import type { BulkItem, BulkOutcome, Publisher } from "./publisher.ts";
import { MAX_BATCH_CHARS, weightOf } from "./weight.ts";

/** The items of a bulk: anything that can be looped over, or awaited item by item. */
export type BulkSource = Iterable<BulkItem> | AsyncIterable<BulkItem>;

/** Told what became of an item, in the order of the items from 0. A promise is awaited before more are read. */
export type OnOutcome = (outcome: BulkOutcome, index: number) => void | Promise<void>;

/** What became of a bulk: an outcome for each item, in order, and their counts. */
export interface BulkReport {
  /** Empty when each was told to `onOutcome`. */
  readonly outcomes: readonly BulkOutcome[];
  readonly kept: number;
  readonly duplicate: number;
  readonly refused: number;
  /** Items that were answered by an earlier call under the same name: they are in the counts. Absent: none. */
  readonly before?: number;
}

interface BulkOptions {
  readonly options: PublishOptions;
  readonly onOutcome?: OnOutcome | undefined;
}

/**
 * Publishes all items, a batch after the other, and collects every outcome, or tells it. The next items are read when a
 * batch is kept, or, where nobody is told and none is waited for, made ready meanwhile.
 * @throws MemqError when the broker fails; it says how many items were answered before.
 */
export async function publishAll(
  publisher: Publisher,
  items: BulkSource,
  { options, onOutcome }: BulkOptions,
): Promise<BulkReport> {
  const outcomes: BulkOutcome[] = [];
  const tell = onOutcome ?? ((outcome: BulkOutcome) => void outcomes.push(outcome));
  const count = { kept: 0, duplicate: 0, refused: 0 };
  let answered = 0;
  let keeping: Promise<readonly BulkOutcome[]> | undefined;
  const allKept = async (): Promise<void> => {
    if (keeping === undefined) return;
    const batch = keeping;
    keeping = undefined;
    for (const outcome of await kept(batch, answered)) {
      count[outcome.kind]++;
      const told = tell(outcome, answered++);
      if (told !== undefined) await told;
    }
  };
  const readsAhead = onOutcome === undefined && !(Symbol.asyncIterator in items);
  try {
    for await (const batch of inBatches(items, publisher.limit)) {
      const keep = publisher.readyBatch(batch, options);
      await allKept();
      keeping = keep();
      keeping.catch(ignoreThrown);
      await (readsAhead ? sent() : allKept());
    }
  } finally {
    await allKept();
  }
  return { outcomes, ...count };
}

const ignoreThrown = (): void => undefined; // by allKept, which may come to it later

/** What goes to a server is on its way before the next items keep the process busy. */
const sent = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Outcomes come in the order of the items: their number is where to go on. */
async function kept<T>(batch: Promise<T>, answered: number): Promise<T> {
  try {
    return await batch;
  } catch (error) {
    if (!(error instanceof MemqError) || answered === 0) throw error;
    const where = `the first ${String(answered)} items were answered before`;
    throw new MemqError(error.code, `${error.message} (${where})`, { cause: error });
  }
}

/** Items as they are published together: few enough, and not too much to hold. */
export async function* inBatches(items: BulkSource, limit: number): AsyncGenerator<readonly BulkItem[]> {
  if (Symbol.asyncIterator in items) yield* asyncBatches(items);
  else yield* syncBatches(items, limit); // without an await for every item
}

function* syncBatches(items: Iterable<BulkItem>, limit: number): Generator<readonly BulkItem[]> {
  const batch = new Batch(limit);
  for (const item of items) if (batch.add(item)) yield batch.take();
  if (batch.length > 0) yield batch.take();
}

async function* asyncBatches(items: AsyncIterable<BulkItem>): AsyncGenerator<readonly BulkItem[]> {
  const batch = new Batch(MAX_BATCH); // what comes slowly shall not wait for more

  for await (const item of items) if (batch.add(item)) yield batch.take();
  if (batch.length > 0) yield batch.take();
}

/** Items that are published together: few enough, and not too much to hold. */
class Batch {
  readonly #limit: number;
  #items: BulkItem[] = [];
  #chars = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get length(): number {
    return this.#items.length;
  }

  /** True: it is full. */
  add(item: BulkItem): boolean {
    this.#chars += weightOf(item);
    return this.#items.push(item) >= this.#limit || this.#chars >= MAX_BATCH_CHARS;
  }

  take(): readonly BulkItem[] {
    const items = this.#items;
    this.#items = [];
    this.#chars = 0;
    return items;
  }
}
