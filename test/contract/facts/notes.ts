import { expect } from "vitest";
import type { Broker } from "../../../src/ports/broker.ts";
import { MAX_NOTE_BYTES, MAX_NOTE_NAME_BYTES, type Note } from "../../../src/ports/notes.ts";
import { keepOne, named, names, series, take } from "./ground.ts";
import type { Fact } from "./ground.ts";

/** The note there is. */
async function noteOf(owner: Broker, name: string): Promise<Note> {
  const note = await owner.notes.read(name);
  if (note === undefined) throw new Error(`there is no note ${name}`);
  return note;
}

export function noteFacts(fact: Fact): void {
  fact("a note that nobody wrote is not there", async (_queue, owner) => {
    expect(await owner.notes.read("a")).toBeUndefined();
  });

  fact("a note is read by every owner as it was written", async (queue, owner) => {
    const value = `{"quoted":"'\\"","signs":"王 🎈\\n"}`;
    expect(await owner.notes.write("schedule:日报", value, undefined)).toBe(true);
    expect((await noteOf(await queue.open(), "schedule:日报")).value).toBe(value);
    expect(await owner.notes.write("empty", "", undefined)).toBe(true);
    expect((await noteOf(owner, "empty")).value).toBe("");
  });

  fact("a first write needs that there is none", async (queue, owner) => {
    expect(await owner.notes.write("a", "one", undefined)).toBe(true);
    expect(await (await queue.open()).notes.write("a", "two", undefined)).toBe(false);
    expect((await noteOf(owner, "a")).value).toBe("one");
  });

  fact("a write needs the version that was read last", async (queue, owner) => {
    const other = await queue.open();
    await owner.notes.write("a", "one", undefined);
    const { version } = await noteOf(other, "a");
    expect(await owner.notes.write("a", "two", version)).toBe(true);
    expect(await other.notes.write("a", "three", version)).toBe(false);
    expect((await noteOf(other, "a")).value).toBe("two");
    expect(await other.notes.write("a", "three", (await noteOf(other, "a")).version)).toBe(true);
    expect((await noteOf(owner, "a")).value).toBe("three");
  });

  fact("the same value written again is another version", async (_queue, owner) => {
    await owner.notes.write("a", "one", undefined);
    const before = await noteOf(owner, "a");
    expect(await owner.notes.write("a", "one", before.version)).toBe(true);
    expect(await owner.notes.write("a", "one", before.version)).toBe(false);
  });

  fact("a write that expects a note where there is none changes nothing", async (_queue, owner) => {
    await owner.notes.write("a", "one", undefined);
    const { version } = await noteOf(owner, "a");
    expect(await owner.notes.write("b", "two", version)).toBe(false);
    expect(await owner.notes.read("b")).toBeUndefined();
  });

  fact("of several owners that write at once exactly one is told that it did", async (queue, owner) => {
    const owners = await Promise.all(series("o", 5).map(() => queue.open()));
    for (let round = 0; round < 3; round++) {
      const version = (await owner.notes.read("a"))?.version;
      const wrote = await Promise.all(
        owners.map((other, nth) => other.notes.write("a", `${String(round)}.${String(nth)}`, version)),
      );
      expect(wrote.filter(Boolean)).toHaveLength(1);
      expect((await noteOf(owner, "a")).value).toBe(`${String(round)}.${String(wrote.indexOf(true))}`);
    }
  });

  fact("a note is neither a task nor in the way of one", async (_queue, owner) => {
    await owner.notes.write("a", "one", undefined);
    await keepOne(owner, named("task"));
    expect(await owner.depth()).toMatchObject({ waiting: 1, delayed: 0, running: 0, dead: 0 });
    await owner.purge(["waiting", "delayed", "dead"]);
    expect((await noteOf(owner, "a")).value).toBe("one");
    await keepOne(owner, named("another"));
    expect(names(await take(owner))).toEqual(["another"]);
  });

  fact("a note may be as long as the limit, its name too, and no longer", async (_queue, owner) => {
    const name = "n".repeat(MAX_NOTE_NAME_BYTES);
    const value = "é".repeat(MAX_NOTE_BYTES / 2);
    expect(await owner.notes.write(name, value, undefined)).toBe(true);
    expect((await noteOf(owner, name)).value).toBe(value);
    await expect(owner.notes.write("long", `${value}.`, undefined)).rejects.toMatchObject({ code: "BUG" });
    await expect(owner.notes.write(`${name}n`, "", undefined)).rejects.toMatchObject({ code: "BUG" });
    await expect(owner.notes.write("", "", undefined)).rejects.toMatchObject({ code: "BUG" });
  });
}
