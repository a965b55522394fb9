import { expect, test } from "vitest";
import { FakeMemcached } from "../../../servers/fake-memcached.ts";
import { ownerAt } from "./ground.ts";

test("what was refused is not missed by those who come by its name", async () => {
  const server = new FakeMemcached(Date.now);
  server.itemBytes = 3_000;
  const owner = ownerAt(Date.now, { wire: server.wire() });
  const answers = await owner.publish([
    { method: "m", args: [1] },
    { method: "m", args: ["x".repeat(4_000)] },
    { method: "m", args: [3] },
  ]);
  expect(answers.map(({ kind }) => kind)).toEqual(["kept", "refused", "kept"]);
  const { claims, findings } = await owner.claim({ limit: 10, atOnce: 1 });
  expect(claims.map(({ task }) => task.args[0])).toEqual([1, 3]);
  expect(findings).toEqual([]);
});
