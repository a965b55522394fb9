import { MemqError } from "../errors.ts";
import { MAX_BATCH } from "../ports/broker.ts";
import type { PublishOptions } from "./draft.ts";
import type { BulkItem, BulkOutcome, Publisher } from "./publisher.ts";

/** The items of a bulk: anything that can be looped over, or awaited item by item. */
export type BulkSource = Iterable<BulkItem> | AsyncIterable<BulkItem>;

/** What became of a bulk: an outcome for each item, in order, and their counts. */
export interface BulkReport {
  readonly outcomes: readonly BulkOutcome[];
  readonly kept: number;
  readonly duplicate: number;
  readonly refused: number;
}

/**
 * Publishes all items, the next ones being read when a batch is kept, and collects every outcome.
 * @throws MemqError when the broker fails; it says how many items were answered before.
 */
export async function publishAll(
  publisher: Publisher,
  items: BulkSource,
  options: PublishOptions,
): Promise<BulkReport> {
  const outcomes: BulkOutcome[] = [];
  const count = { kept: 0, duplicate: 0, refused: 0 };
  try {
    for await (const batch of inBatches(items)) {
      for (const outcome of await publisher.publishBatch(batch, options)) {
        outcomes.push(outcome);
        count[outcome.kind]++;
      }
    }
  } catch (error) {
    throw cutShort(error, outcomes.length);
  }
  return { outcomes, ...count };
}

/** Outcomes come in the order of the items: their number is where to go on. */
function cutShort(error: unknown, answered: number): unknown {
  if (!(error instanceof MemqError) || answered === 0) return error;
  const where = `the first ${String(answered)} items were answered before`;
  return new MemqError(error.code, `${error.message} (${where})`, { cause: error });
}

async function* inBatches(items: BulkSource): AsyncGenerator<readonly BulkItem[]> {
  if (Symbol.asyncIterator in items) yield* asyncBatches(items);
  else yield* syncBatches(items); // without an await for every item
}

function* syncBatches(items: Iterable<BulkItem>): Generator<readonly BulkItem[]> {
  let batch: BulkItem[] = [];
  for (const item of items) {
    if (batch.push(item) < MAX_BATCH) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}

async function* asyncBatches(items: AsyncIterable<BulkItem>): AsyncGenerator<readonly BulkItem[]> {
  let batch: BulkItem[] = [];
  for await (const item of items) {
    if (batch.push(item) < MAX_BATCH) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}
