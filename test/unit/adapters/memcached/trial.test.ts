import { expect, test } from "vitest";
import { tryOperations } from "../../../../src/adapters/memcached/trial.ts";
import type { Answer, Operation, Wire } from "../../../../src/adapters/memcached/wire.ts";
import { MemqError } from "../../../../src/errors.ts";
import { FakeMemcached } from "../../../servers/fake-memcached.ts";

const STEPS = [
  "add",
  "add refused where there is one",
  "get",
  "replace with cas",
  "stale cas refused",
  "append",
  "get after append",
  "touch",
  "delete with a stale cas refused",
  "get after touch",
  "delete with cas",
  "get of what is gone",
];

/** A server whose answers a test may spoil: `spoil` gets each operation and may answer in the server's place. */
function spoilt(spoil: (operation: Operation, done: number) => Answer | undefined): {
  readonly server: FakeMemcached;
  readonly wire: Wire;
} {
  const server = new FakeMemcached(Date.now);
  let done = 0;
  const wire: Wire = {
    server: "h:1",
    batch: (operations) =>
      Promise.resolve().then(() => operations.map((one) => spoil(one, done++) ?? server.do(one))),
    stats: () => Promise.resolve(new Map()),
    close: () => undefined,
  };
  return { server, wire };
}

test("every operation of a sound server passes, and nothing is left", async () => {
  const { server, wire } = spoilt(() => undefined);
  expect(await tryOperations(wire)).toEqual(STEPS.map((step) => ({ step })));
  expect(server.items.size).toBe(0);
});

test("the item is never without an end while it is there, but for the moment between replace and touch", async () => {
  const ends: boolean[] = [];
  const { server, wire } = spoilt(() => {
    for (const { expiresAt } of server.items.values()) ends.push(expiresAt < Infinity);
    return undefined;
  });
  await tryOperations(wire);
  expect(ends).toEqual([true, true, true, false, false, false, false, true, true, true]);
});

test.each<[string, Partial<Record<Operation["kind"], Answer>>, string]>([
  ["that stores nothing", { add: { kind: "missing" } }, "add"],
  ["that gives no cas", { get: { kind: "ok", cas: 0n, value: Buffer.from("one") } }, "get"],
  ["that gives another value", { get: { kind: "ok", cas: 1n, value: Buffer.from("two") } }, "get"],
  ["that knows no append", { append: { kind: "unknown" } }, "append"],
  ["that knows no touch", { touch: { kind: "unknown" } }, "touch"],
])("a server %s fails at that step", async (_name, answers, step) => {
  const { server, wire } = spoilt(({ kind }) => answers[kind]);
  const steps = await tryOperations(wire);
  expect(steps.at(-1)).toMatchObject({ step, fault: expect.stringMatching(/./) as string });
  expect(steps.slice(0, -1).every(({ fault }) => fault === undefined)).toBe(true);
  expect(server.items.size).toBe(0);
});

test("a server that takes a stale cas for a fresh one is found out", async () => {
  const { server, wire } = spoilt((operation, done) => {
    if (operation.kind !== "replace" || done < 4) return undefined;
    return { kind: "ok", cas: 9n };
  });
  expect((await tryOperations(wire)).at(-1)).toEqual({
    step: "stale cas refused",
    fault: "it was done all the same",
  });
  expect(server.items.size).toBe(0);
});

test("a full server is told from one that does wrong", async () => {
  const { wire } = spoilt(({ kind }) => (kind === "add" ? { kind: "full" } : undefined));
  expect(await tryOperations(wire)).toEqual([
    { step: "add", fault: "there is no memory for it", isFull: true },
  ]);
});

test("when the server goes away in the middle that is told, and the item is asked to be removed", async () => {
  const asked: string[] = [];
  const { wire } = spoilt(({ kind }) => {
    asked.push(kind);
    if (kind === "append") throw new MemqError("BROKER_UNREACHABLE", "gone");
    return undefined;
  });
  await expect(tryOperations(wire)).rejects.toMatchObject({ code: "BROKER_UNREACHABLE" });
  expect(asked.at(-1)).toBe("delete");
});

test("no two trials use the same item, and none a queue's", async () => {
  const keys = new Set<string>();
  const { wire } = spoilt(({ key }) => {
    keys.add(key);
    return undefined;
  });
  await Promise.all([tryOperations(wire), tryOperations(wire)]);
  expect(keys.size).toBe(2);
  for (const key of keys) expect(key.startsWith("mq:")).toBe(false);
});
