import { expect, test } from "vitest";
import { publishAll } from "../../../src/publish/bulk.ts";
import type { BulkItem, BulkOutcome, Publisher } from "../../../src/publish/publisher.ts";
import { MAX_BATCH } from "../../../src/ports/broker.ts";

const LIMIT = 2_500;

/** A publisher that takes so many at a time, and the sizes of what it was given. */
function scene(): { readonly publisher: Publisher; readonly sizes: readonly number[] } {
  const sizes: number[] = [];
  const unused = (): never => {
    throw new Error("a bulk publishes in batches");
  };
  const readyBatch = (items: readonly BulkItem[]) => (): Promise<readonly BulkOutcome[]> => {
    sizes.push(items.length);
    return Promise.resolve(items.map(({ method }) => ({ kind: "kept", id: method })));
  };
  const others = { publish: unused, publishBatch: unused, publishPart: unused };
  return { publisher: { limit: LIMIT, readyBatch, ...others }, sizes };
}

function* calls(count: number): Generator<BulkItem> {
  for (let nth = 0; nth < count; nth++) yield { method: `m${String(nth)}` };
}

// eslint-disable-next-line @typescript-eslint/require-await -- it stands for a source that awaits
async function* slowCalls(count: number): AsyncGenerator<BulkItem> {
  yield* calls(count);
}

test("items that are there are published as many at a time as the publisher takes, and told in their order", async () => {
  const { publisher, sizes } = scene();
  const { outcomes, kept } = await publishAll(publisher, calls(6_000), { options: {} });
  expect(sizes).toEqual([LIMIT, LIMIT, 1_000]);
  expect(kept).toBe(6_000);
  expect(outcomes).toEqual([...calls(6_000)].map(({ method }) => ({ kind: "kept", id: method })));
});

test("items that are waited for do not wait for more than a thousand others", async () => {
  const { publisher, sizes } = scene();
  await publishAll(publisher, slowCalls(2_100), { options: {} });
  expect(sizes).toEqual([MAX_BATCH, MAX_BATCH, 100]);
});
