import { expect, test } from "vitest";
import type { Broker } from "../../../../src/ports/broker.ts";
import type { Operation } from "../../../../src/adapters/memcached/wire.ts";
import { FakeMemcached } from "../../../servers/fake-memcached.ts";
import { ELSEWHERE, ownerAt } from "./ground.ts";

const now = Date.UTC(2026, 0, 1);
const server = new FakeMemcached(() => now);
const sent: Operation[] = [];

const open = (): Broker => {
  const wire = server.wire();
  const batch: typeof wire.batch = (operations) => {
    sent.push(...operations);
    return wire.batch(operations);
  };
  return ownerAt(() => now, { wire: { ...wire, batch }, holder: ELSEWHERE });
};

test("a start that must be on record costs a heartbeat and a write, and no look at the block", async () => {
  const owner = open();
  await owner.publish(Array.from({ length: 20 }, (_, n) => ({ method: "m", args: [n], retries: 0 })));
  const { claims } = await owner.claim({ limit: 20, atOnce: 1 });
  sent.length = 0;
  for (const claim of claims) expect(await owner.start(claim, { last: true })).toBe("started");
  expect(sent.map(({ kind }) => kind)).toEqual(claims.flatMap(() => ["touch", "replace"]));
  await owner.settle(claims.map((claim) => ({ claim, outcome: { kind: "done" } })));
});

test("starts at the same time share a heartbeat", async () => {
  const owner = open();
  await owner.publish(Array.from({ length: 20 }, (_, n) => ({ method: "m", args: [n], retries: 0 })));
  const { claims } = await owner.claim({ limit: 20, atOnce: 20 });
  sent.length = 0;
  await Promise.all(claims.map(async (claim) => owner.start(claim, { last: true })));
  expect(sent.filter(({ kind }) => kind === "touch")).toHaveLength(1);
  expect(sent.filter(({ kind }) => kind === "replace")).toHaveLength(20);
  await owner.settle(claims.map((claim) => ({ claim, outcome: { kind: "done" } })));
});

test("what another owner took over is not started any more, however fresh the lease seems", async () => {
  const [owner, other] = [open(), open()];
  await owner.publish([{ method: "m", args: [] }]);
  const [claim] = (await owner.claim({ limit: 1, atOnce: 1 })).claims;
  for (const key of [...server.items.keys()].filter((one) => one.startsWith("mq:q:o"))) server.evict(key);
  const [taken] = (await other.claim({ limit: 1, atOnce: 1 })).claims;
  if (claim === undefined || taken === undefined) throw new Error("nothing was claimed");
  expect(await owner.start(claim, { last: true })).toBe("lost");
  expect(await other.start(taken, { last: true })).toBe("started");
  expect(await other.settle([{ claim: taken, outcome: { kind: "done" } }])).toEqual(["settled"]);
});
