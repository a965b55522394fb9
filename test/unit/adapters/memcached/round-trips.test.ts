import { expect, test } from "vitest";
import type { Wire } from "../../../../src/adapters/memcached/wire.ts";
import { FakeMemcached } from "../../../servers/fake-memcached.ts";
import { ownerAt } from "./ground.ts";

const NOW = 1_700_000_000_000;
const now = (): number => NOW;

/** A wire that answers everything that was asked at the same time in the same round, and counts the rounds. */
function inRounds(server: FakeMemcached): { wire: Wire; rounds: () => number } {
  let rounds = 0;
  let round: Promise<void> | undefined;
  const over = (): Promise<void> =>
    (round ??= new Promise((resolve) => {
      rounds += 1;
      setImmediate(() => {
        round = undefined;
        resolve();
      });
    }));
  const inside = server.wire();
  const wire: Wire = {
    ...inside,
    batch: async (operations) => {
      await over();
      return inside.batch(operations);
    },
    stats: async (group) => {
      await over();
      return inside.stats(group);
    },
  };
  return { wire, rounds: () => rounds };
}

test("a first look takes three round trips: the block and the time, the lists and the minutes, what they name", async () => {
  const server = new FakeMemcached(now);
  await ownerAt(now, { wire: server.wire() }).publish([{ method: "note", args: [] }]);
  const { wire, rounds } = inRounds(server);
  const looker = ownerAt(now, { wire });
  expect(await looker.depth()).toMatchObject({ waiting: 1, delayed: 0 });
  expect(rounds()).toBe(3);
});

test("to look at an empty queue takes two round trips, and to find its losses beside it takes none", async () => {
  const server = new FakeMemcached(now);
  const owner = ownerAt(now, { wire: server.wire() });
  const [kept] = await owner.publish([{ method: "note", args: [] }]);
  if (kept?.kind !== "kept") throw new Error("not kept");
  await owner.cancel(kept.id);
  await owner.claim({ limit: 1, atOnce: 1 });
  const { wire, rounds } = inRounds(server);
  const looker = ownerAt(now, { wire });
  const [depth] = await Promise.all([looker.depth(), looker.losses()]);
  expect(depth).toEqual({ waiting: 0, delayed: 0, running: 0, dead: 0 });
  expect(rounds()).toBe(2);
});

test("to list what waits reads many lists at a time, where a block names so many that nothing stands in", async () => {
  const server = new FakeMemcached(now);
  const { wire, rounds } = inRounds(server);
  const owner = ownerAt(now, { wire });
  await owner.publish([{ method: "note", args: [] }]);
  const { value = Buffer.alloc(0), cas = 0n } = server.items.get("mq:q:C") ?? {};
  const block = JSON.parse(value.toString()) as { segs: [string, number][] };
  const empty = Array.from({ length: 20_000 }, (_, at) => [`x${String(at).padStart(7, "0")}`, 0]);
  const text = JSON.stringify({ ...block, segs: [...empty, ...block.segs] });
  expect(server.do({ kind: "replace", key: "mq:q:C", value: text, cas })).toMatchObject({ kind: "ok" });
  const before = rounds();
  const { tasks } = await owner.list("waiting", { limit: 10 });
  expect(tasks).toHaveLength(1);
  expect(rounds() - before).toBeLessThan(2 * Math.ceil(20_000 / 128));
});

test("whether a bulk is over is asked of one record of it, while that is left", async () => {
  const server = new FakeMemcached(now);
  const reads: string[] = [];
  const wire = server.wire();
  const owner = ownerAt(now, {
    wire: {
      ...wire,
      batch: (operations) => {
        reads.push(...operations.flatMap(({ kind, key }) => (kind === "get" ? [key] : [])));
        return wire.batch(operations);
      },
    },
  });
  const drafts = Array.from({ length: 300 }, (_, at) => ({ method: "note", args: [at] }));
  const then = { method: "report", args: [] };
  await owner.bulks.publish(drafts, { name: "b", expected: undefined, place: () => "", then, isLast: true });
  const recordsRead = async (): Promise<number> => {
    reads.length = 0;
    expect(await owner.bulks.conclude()).toBe(0);
    return reads.filter((key) => /^mq:q:\w{8}:b/.test(key)).length;
  };
  expect(await recordsRead()).toBe(300);
  expect(await recordsRead()).toBe(1);
  for (let settled = 0; settled < 300;) {
    const { claims } = await owner.claim({ limit: 50, atOnce: 1 });
    for (const claim of claims) await owner.start(claim, { last: false });
    await owner.settle(claims.map((claim) => ({ claim, outcome: { kind: "done" } as const })));
    settled += claims.length;
    if (settled < 300) expect(await recordsRead()).toBe(1);
  }
  expect(await owner.bulks.conclude()).toBe(1);
  const { claims } = await owner.claim({ limit: 10, atOnce: 1 });
  expect(claims.map(({ task }) => task.method)).toEqual(["report"]);
});
