import { expect, test } from "vitest";
import { FakeMemcached } from "../../../servers/fake-memcached.ts";
import { ELSEWHERE, ownerAt } from "./ground.ts";

const BEGAN = Date.UTC(2026, 0, 1);

test("delayed tasks that fall due on a full server are run, and make room for each other", async () => {
  let now = BEGAN;
  const server = new FakeMemcached(() => now);
  const open = (): ReturnType<typeof ownerAt> =>
    ownerAt(() => now, { wire: server.wire(), holder: ELSEWHERE });
  const drafts = Array.from({ length: 100 }, (_, n) => ({ method: "m", args: [n], dueAt: BEGAN + 10_000 }));
  await open().publish(drafts);
  server.limitBytes = server.bytes;
  now += 20_000;
  const owner = open();
  const ran = new Set<unknown>();
  for (let claimed = 1; claimed > 0 && ran.size < 100;) {
    const { claims } = await owner.claim({ limit: 10, atOnce: 1 });
    claimed = claims.length;
    for (const claim of claims) {
      expect(await owner.start(claim, { last: false })).toBe("started");
      expect(ran.has(claim.task.args[0])).toBe(false);
      ran.add(claim.task.args[0]);
      expect(await owner.settle([{ claim, outcome: { kind: "done" } }])).toEqual(["settled"]);
    }
  }
  expect(ran.size).toBe(100);
});

test("what waits is not held up by what there is no memory to release", async () => {
  let now = BEGAN;
  const server = new FakeMemcached(() => now);
  const open = (): ReturnType<typeof ownerAt> => ownerAt(() => now, { wire: server.wire() });
  const delayed = Array.from({ length: 60 }, (_, n) => ({ method: "m", args: [n], dueAt: BEGAN + 10_000 }));
  await open().publish(delayed);
  await open().publish([{ method: "m", args: ["waits"] }]);
  server.limitBytes = server.bytes;
  now += 20_000;
  const owner = open();
  const seen: unknown[] = [];
  for (let claim = 0; claim < 60 && !seen.includes("waits"); claim++) {
    const { claims } = await owner.claim({ limit: 10, atOnce: 1 });
    seen.push(...claims.map(({ task }) => task.args[0]));
  }
  expect(seen).toContain("waits");
});

test("a search among names that lead to nothing ends when its owner has had enough", async () => {
  const server = new FakeMemcached(() => BEGAN);
  const publisher = ownerAt(() => BEGAN, { wire: server.wire() });
  for (let batch = 0; batch < 10; batch++) {
    await publisher.publish(Array.from({ length: 1_000 }, (_, n) => ({ method: "m", args: [n] })));
  }
  await publisher.publish([{ method: "m", args: ["last"] }]);
  for (const [key, { value }] of server.items)
    if (/:b/.test(key) && !value.includes("last")) server.evict(key);
  const owner = ownerAt(() => BEGAN, { wire: server.wire() });
  let asked = 0;
  const isEnough = (): boolean => ++asked >= 3;
  const cut = await owner.claim({ limit: 10, atOnce: 1, isEnough });
  expect(cut.claims).toEqual([]);
  expect(asked).toBe(3);
  await owner.close();
  const next = ownerAt(() => BEGAN, { wire: server.wire() });
  const { claims } = await next.claim({ limit: 10, atOnce: 1 });
  expect(claims.map(({ task }) => task.args[0])).toEqual(["last"]);
});
