import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openMemcachedBroker } from "../../../../src/adapters/memcached/broker.ts";
import type { Operation, Wire } from "../../../../src/adapters/memcached/wire.ts";
import type { Broker, Claim } from "../../../../src/ports/broker.ts";
import { plainCodec } from "../../../../src/task/codec.ts";
import { FakeMemcached } from "../../../servers/fake-memcached.ts";

let memory: string;
let server: FakeMemcached;
let owner: Broker;

beforeEach(() => {
  memory = mkdtempSync(join(tmpdir(), "memq-put-back-"));
  server = new FakeMemcached(Date.now);
  owner = openOn(server.wire());
});

afterEach(() => {
  rmSync(memory, { recursive: true, force: true });
});

const openOn = (wire: Wire): Broker =>
  openMemcachedBroker({ wire, queue: "q", codec: plainCodec(900_000), memory });

/** A connection on which `deed` is done once, right after a name was listed. */
function whenListed(deed: () => Promise<void>): Wire {
  const wire = server.wire();
  let done = false;
  const lists = ({ kind, key }: Operation): boolean => kind === "append" && /:\w{8}:l/.test(key);
  return {
    ...wire,
    batch: async (operations) => {
      const answers = await wire.batch(operations);
      if (!done && operations.some(lists)) {
        done = true;
        await deed();
      }
      return answers;
    },
  };
}

async function startOne(): Promise<Claim> {
  const [claim] = (await owner.claim({ limit: 1, atOnce: 1 })).claims;
  if (claim === undefined) throw new Error("nothing could be claimed");
  expect(await owner.start(claim, { last: true })).toBe("started");
  return claim;
}

async function buryOne(reason: string): Promise<void> {
  const claim = await startOne();
  expect(await owner.settle([{ claim, outcome: { kind: "dead", reason } }])).toEqual(["settled"]);
}

const deadErrors = async (): Promise<readonly unknown[]> =>
  (await owner.list("dead", { limit: 10 })).tasks.map(({ error }) => error);

test("a task with a key that dies again while it is still being put back is a dead letter", async () => {
  await owner.publish([{ method: "m", args: [], key: "order:42" }]);
  await buryOne("first");
  const wire = whenListed(() => buryOne("second"));
  expect(await openOn(wire).putBack("all")).toBe(1);
  expect(await deadErrors()).toEqual(["second"]);
});

test("a dead letter whose key another task had stays, though that one ends while others are put back", async () => {
  await owner.publish([
    { method: "m", args: [], key: "order:42" },
    { method: "other", args: [] },
  ]);
  await buryOne("keyed");
  await buryOne("other");
  await owner.publish([{ method: "m", args: [], key: "order:42" }]);
  const claim = await startOne();
  const wire = whenListed(async () => {
    await owner.settle([{ claim, outcome: { kind: "done" } }]);
  });
  expect(await openOn(wire).putBack("all")).toBe(1);
  expect(await deadErrors()).toEqual(["keyed"]);
});
