import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { open, type Memq } from "../../../src/memq.ts";
import type { BulkItem } from "../../../src/publish/publisher.ts";

let folder: string;
let memq: Memq;
const ran: unknown[] = [];
class Worker {
  push(user: string): void {
    ran.push(user);
  }
  report(word: string): void {
    ran.push(`report ${word}`);
  }
}
beforeEach(async () => {
  ran.length = 0;
  folder = mkdtempSync(join(tmpdir(), "memq-named-items-"));
  memq = await open({ store: folder }, { handlers: { Worker } });
});
afterEach(async () => {
  await memq.close();
  rmSync(folder, { recursive: true });
});

const users = (count: number): readonly BulkItem[] =>
  Array.from({ length: count }, (_, nth) => ({ method: "push", args: [`user-${String(nth)}`] }));
const then = { method: "report", args: ["spring"] };

test("one more call follows a program's bulk once all of it is settled", async () => {
  const report = await memq.publishMany(users(3), { bulk: "spring", then });
  expect(report).toMatchObject({ kept: 3, duplicate: 0, refused: 0 });
  expect(report.outcomes).toHaveLength(3);
  expect(report).not.toHaveProperty("before");
  expect(await (await memq.broker()).depth()).toMatchObject({ waiting: 3 });
  await memq.run();
  expect(ran).toEqual(["user-0", "user-1", "user-2", "report spring"]);
  await memq.publishMany(users(3), { bulk: "spring", then });
  await memq.run();
  expect(ran).toHaveLength(4);
});

test("a bulk of nothing is followed at once", async () => {
  await memq.publishMany([], { bulk: "spring", then });
  await memq.run();
  expect(ran).toEqual(["report spring"]);
});

test("a bulk that was cut short goes on behind what was answered, and each item is published once", async () => {
  async function* torn(): AsyncGenerator<BulkItem> {
    await Promise.resolve();
    yield* users(1_500);
    throw new Error("the database is away");
  }
  await expect(memq.publishMany(torn(), { bulk: "spring", then })).rejects.toThrow("the database is away");
  await memq.run();
  expect(ran).toHaveLength(1_000); // the first batch; what follows waits for the end
  const told: number[] = [];
  const onOutcome = (_outcome: unknown, index: number): unknown => told.push(index);
  const items = [...users(1_999), { method: "no such", args: [] }];
  const report = await memq.publishMany(items, {
    bulk: "spring",
    then,
    onOutcome: (...all) => void onOutcome(...all),
  });
  expect(report).toEqual({ outcomes: [], kept: 1_999, duplicate: 0, refused: 1, before: 1_000 });
  expect(told).toEqual(Array.from({ length: 1_000 }, (_, nth) => 1_000 + nth));
  await memq.run();
  expect(new Set(ran).size).toBe(2_000);
  expect(ran).toHaveLength(2_000);
  expect(ran.at(-1)).toBe("report spring");
});

test("other items under the same name are refused, and nothing is published", async () => {
  await memq.publishMany(users(3), { bulk: "spring" });
  const changed = {
    code: "BULK_CHANGED",
    message: 'bulk "spring": the first 3 items differ from what was published',
  };
  const [first = { method: "push" }, ...others] = users(4);
  for (const items of [users(2), [], [{ ...first, args: ["else"] }, ...others]])
    await expect(memq.publishMany(items, { bulk: "spring" })).rejects.toMatchObject(changed);
  expect(await (await memq.broker()).depth()).toMatchObject({ waiting: 3 });
});

test("then goes with a name, and a name is a text", async () => {
  const usage = { code: "USAGE" };
  await expect(memq.publishMany(users(1), { then })).rejects.toMatchObject(usage);
  for (const bulk of ["", "x".repeat(201), 5 as never])
    await expect(memq.publishMany(users(1), { bulk })).rejects.toMatchObject(usage);
});
