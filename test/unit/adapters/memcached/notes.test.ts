import { beforeEach, describe, expect, test } from "vitest";
import { keysOf } from "../../../../src/adapters/memcached/names.ts";
import { MemcachedNotes } from "../../../../src/adapters/memcached/notes.ts";
import { Session } from "../../../../src/adapters/memcached/session.ts";
import type { Answer, Wire } from "../../../../src/adapters/memcached/wire.ts";
import { systemClock } from "../../../../src/ports/clock.ts";
import { FakeMemcached } from "../../../servers/fake-memcached.ts";

/** What becomes of a batch on its way: it is done or not, and its answer comes back or not. */
type Fate = "fine" | "lost before" | "lost after";

let server: FakeMemcached;
let fates: Fate[];
/** Called when an answer was lost, before anything else happens. */
let whenLost: () => void;
let letters = 0;

beforeEach(() => {
  server = new FakeMemcached(() => Date.UTC(2026, 0, 1));
  fates = [];
  whenLost = () => undefined;
});

function notesOver(wire: Wire): MemcachedNotes {
  const session = new Session(wire, systemClock);
  const random = (count: number): string => String(++letters).padStart(count, "x");
  return new MemcachedNotes({ queue: "q", keys: keysOf("q"), session, random });
}

/** A wire on which things go as `fates` says. */
const shaky = (): Wire => ({
  ...server.wire(),
  batch: async (operations) => {
    await Promise.resolve();
    const fate = fates.shift() ?? "fine";
    const answers: readonly Answer[] =
      fate === "lost before" ? [] : operations.map((operation) => server.do(operation));
    if (fate === "fine") return answers;
    whenLost();
    return operations.map(() => ({ kind: "unknown" }));
  },
});

const valueOf = async (name: string): Promise<string | undefined> =>
  (await notesOver(server.wire()).read(name))?.value;

describe("a write whose answer was lost", () => {
  test.each([["lost before"], ["lost after"]] as const)("is told truly: %s it was done", async (fate) => {
    const notes = notesOver(shaky());
    fates = [fate];
    expect(await notes.write("a", "one", undefined)).toBe(true);
    const { version } = (await notes.read("a")) ?? {};
    fates = [fate, fate];
    expect(await notes.write("a", "two", version)).toBe(true);
    expect(await valueOf("a")).toBe("two");
  });

  test("and that somebody else made meanwhile was not made, though the value is the same", async () => {
    const notes = notesOver(shaky());
    await notes.write("a", "one", undefined);
    const { version } = (await notes.read("a")) ?? {};
    fates = ["lost before"];
    let other: Promise<boolean> | undefined;
    whenLost = () => {
      other = notesOver(server.wire()).write("a", "two", version);
    };
    expect([await notes.write("a", "two", version), await other]).toEqual([false, true]);
  });
});

test("a note for which there is no memory is refused, and what was there stays", async () => {
  const notes = notesOver(server.wire());
  await notes.write("a", "one", undefined);
  const { version } = (await notes.read("a")) ?? {};
  server.limitBytes = server.bytes;
  await expect(notes.write("b", "two", undefined)).rejects.toMatchObject({ code: "QUEUE_FULL" });
  await expect(notes.write("a", "three", version)).rejects.toMatchObject({ code: "QUEUE_FULL" });
  expect(await valueOf("a")).toBe("one");
});

test("a note that was evicted is gone, and can be written anew", async () => {
  const notes = notesOver(server.wire());
  await notes.write("a", "one", undefined);
  const { version } = (await notes.read("a")) ?? {};
  server.evict(keysOf("q").note("a"));
  expect(await notes.read("a")).toBeUndefined();
  expect(await notes.write("a", "two", version)).toBe(false);
  expect(await notes.write("a", "two", undefined)).toBe(true);
});

test("notes of any name have keys that memcached takes, each its own", () => {
  const names = ["a", "A", "a b", "a%20b", "王", "é".repeat(100), `${"é".repeat(99)}e`, "n".repeat(200)];
  const keys = names.map((name) => keysOf("q".repeat(300)).note(name));
  expect(new Set(keys).size).toBe(names.length);
  for (const key of keys) expect(key).toMatch(/^[!-~]{1,250}$/);
});
