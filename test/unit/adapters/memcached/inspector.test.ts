import { expect, test } from "vitest";
import { FakeMemcached } from "../../../servers/fake-memcached.ts";
import { ownerAt } from "./ground.ts";

test("a running task whose holder is gone is shown with a lease that has ended, and no name made up", async () => {
  let now = Date.UTC(2026, 0, 1);
  const server = new FakeMemcached(() => now);
  const wire = server.wire();
  const [holder, onlooker] = [ownerAt(() => now, { wire }), ownerAt(() => now, { wire })];
  const [kept] = await holder.publish([{ method: "m", args: [] }]);
  const id = kept?.kind === "kept" ? kept.id : "";
  await holder.claim({ limit: 1, atOnce: 1 });

  const held = await onlooker.find(id);
  expect(held?.at).toBeGreaterThan(now);
  expect(held?.holder).toMatch(/:\d+$/);

  now += 60_000; // nobody renews: the server forgets the heartbeat
  const left = await onlooker.find(id);
  expect(left).toMatchObject({ state: "running", at: now });
  expect(left?.holder).toBeUndefined();
});
