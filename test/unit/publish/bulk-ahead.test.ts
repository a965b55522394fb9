import { expect, test } from "vitest";
import { MemqError } from "../../../src/errors.ts";
import type { Broker } from "../../../src/ports/broker.ts";
import { systemClock } from "../../../src/ports/clock.ts";
import { publishAll } from "../../../src/publish/bulk.ts";
import { makePublisher, type BulkItem, type Publisher } from "../../../src/publish/publisher.ts";
import { plainCodec } from "../../../src/task/codec.ts";
import { memoryBroker } from "../../../src/testing.ts";
import { altered, gate, until } from "../run/ground.ts";

const codec = plainCodec(900_000);
const publisherOn = (broker: Broker): Publisher => makePublisher({ broker, codec, clock: systemClock });

/** Items that are counted when they are read; after `most` of them the reading fails. */
function source(
  count: number,
  most = Infinity,
): { readonly items: Iterable<BulkItem>; readonly read: () => number } {
  let read = 0;
  function* items(): Generator<BulkItem> {
    for (let index = 0; index < count; index++) {
      if (read === most) throw new Error("the input broke off");
      read += 1;
      yield { method: "push", args: [index] };
    }
  }
  return { items: items(), read: () => read };
}

/** A broker whose publishes wait for the gate; `most`: so many were under way at a time. */
function gated(): { readonly broker: Broker; readonly open: () => void; readonly most: () => number } {
  const { opened, open } = gate();
  const inside = memoryBroker();
  let underWay = 0;
  let most = 0;
  const broker = altered(inside, {
    publish: async (drafts) => {
      most = Math.max(most, ++underWay);
      await opened;
      underWay -= 1;
      return inside.publish(drafts);
    },
  });
  return { broker, open, most: () => most };
}

test("the next items are made ready while a batch is kept, and one batch is under way at a time", async () => {
  const { broker, open, most } = gated();
  const { items, read } = source(3_500);
  const publishing = publishAll(publisherOn(broker), items, { options: {} });
  await until(() => read() === 2_000);
  open();
  const { outcomes, kept } = await publishing;
  expect([outcomes.length, kept, most()]).toEqual([3_500, 3_500, 1]);
  const { tasks } = await broker.list("waiting", { limit: 1_000 });
  expect(tasks.map(({ id }) => id)).toEqual(
    outcomes.slice(0, 1_000).map((outcome) => (outcome.kind === "kept" ? outcome.id : outcome.kind)),
  );
});

test("where each outcome is told, no item is read before the batch is kept and told", async () => {
  const { items, read } = source(2_500);
  const readWhenTold: number[] = [];
  const onOutcome = (): void => {
    readWhenTold.push(read());
  };
  await publishAll(publisherOn(memoryBroker()), items, { options: {}, onOutcome });
  expect(readWhenTold).toEqual(
    Array.from({ length: 2_500 }, (_, index) => Math.min(2_500, 1_000 * Math.ceil((index + 1) / 1_000))),
  );
});

test("what was read before the input broke off is kept in full batches, and its fault is thrown", async () => {
  const broker = memoryBroker();
  const { items } = source(3_500, 2_200);
  await expect(publishAll(publisherOn(broker), items, { options: {} })).rejects.toThrow(
    "the input broke off",
  );
  expect(await broker.depth()).toMatchObject({ waiting: 2_000 });
});

test("a broker that fails is told with how many items were answered before, and nothing is published after it", async () => {
  const inside = memoryBroker();
  let calls = 0;
  const broker = altered(inside, {
    publish: (drafts) =>
      ++calls === 2 ? Promise.reject(new MemqError("BROKER_UNREACHABLE", "away")) : inside.publish(drafts),
  });
  const publishing = publishAll(publisherOn(broker), source(3_500).items, { options: {} });
  await expect(publishing).rejects.toThrow("away (the first 1000 items were answered before)");
  expect([calls, (await inside.depth()).waiting]).toEqual([2, 1_000]);
});
