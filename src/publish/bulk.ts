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

/** Publishes all items in batches and collects every outcome. */
export async function publishAll(
  publisher: Publisher,
  items: BulkSource,
  options: PublishOptions,
): Promise<BulkReport> {
  const outcomes: BulkOutcome[] = [];
  const count = { kept: 0, duplicate: 0, refused: 0 };
  for await (const batch of publishInBatches(publisher, items, options)) {
    for (const { outcome } of batch) {
      outcomes.push(outcome);
      count[outcome.kind]++;
    }
  }
  return { outcomes, ...count };
}

/** An item and what became of it. */
export interface Answered {
  readonly item: BulkItem;
  readonly outcome: BulkOutcome;
}

/** Publishes batch by batch, in constant memory: the next items are read when a batch is kept. */
export async function* publishInBatches(
  publisher: Publisher,
  items: BulkSource,
  options: PublishOptions,
): AsyncGenerator<readonly Answered[]> {
  for await (const batch of inBatches(items)) {
    const outcomes = await publisher.publishBatch(batch, options);
    yield batch.flatMap((item, place) => {
      const outcome = outcomes[place];
      return outcome === undefined ? [] : [{ item, outcome }];
    });
  }
}

async function* inBatches(items: BulkSource): AsyncGenerator<readonly BulkItem[]> {
  let batch: BulkItem[] = [];
  for await (const item of items) {
    batch.push(item);
    if (batch.length < MAX_BATCH) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}
