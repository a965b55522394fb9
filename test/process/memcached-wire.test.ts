import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { openMemjsWire, type WireOptions } from "../../src/adapters/memcached/memjs-wire.ts";
import type { Answer, Operation, Wire } from "../../src/adapters/memcached/wire.ts";
import { noMemcached, startMemcached, type MemcachedServer } from "../servers/memcached-server.ts";

let server: MemcachedServer;
const wires: Wire[] = [];
let tests = 0;

beforeAll(async () => {
  if (noMemcached === undefined) server = await startMemcached(["-m", "256"]);
});
afterAll(async () => {
  if (noMemcached === undefined) await server.stop();
});
beforeEach((context) => {
  if (noMemcached !== undefined) context.skip(noMemcached);
  tests++;
});
afterEach(() => {
  for (const wire of wires.splice(0)) wire.close();
});

function open(options: Partial<WireOptions> = {}): Wire {
  const wire = openMemjsWire({ server, ...options });
  wires.push(wire);
  return wire;
}

/** A key of this test's own. */
const key = (name: string): string => `t${String(tests)}:${name}`;

async function ask(wire: Wire, operation: Operation): Promise<Answer> {
  const [answer] = await wire.batch([operation]);
  if (answer === undefined) throw new Error("no answer");
  return answer;
}

const kinds = (answers: readonly Answer[]): string[] => answers.map((answer) => answer.kind);

async function textOf(wire: Wire, name: string): Promise<string | undefined> {
  const answer = await ask(wire, { kind: "get", key: name });
  return answer.kind === "ok" ? answer.value?.toString() : undefined;
}

async function casOf(wire: Wire, name: string): Promise<bigint> {
  const answer = await ask(wire, { kind: "get", key: name });
  if (answer.kind !== "ok") throw new Error(`${name} is ${answer.kind}`);
  return answer.cas;
}

describe("the operations", () => {
  test("add keeps a value once, and says its cas", async () => {
    const wire = open();
    const first = await ask(wire, { kind: "add", key: key("a"), value: "one" });
    expect(first).toEqual({ kind: "ok", cas: await casOf(wire, key("a")) });
    expect(await ask(wire, { kind: "add", key: key("a"), value: "two" })).toEqual({ kind: "exists" });
    expect(await textOf(wire, key("a"))).toBe("one");
  });

  test("among many that are done, those that are not say so in their place", async () => {
    const wire = open();
    await ask(wire, { kind: "add", key: key("1"), value: "there" });
    const casless = (name: string): Operation => ({ kind: "add", key: key(name), value: "x", casless: true });
    const deletes = (name: string, cas?: bigint): Operation => ({
      kind: "delete",
      key: key(name),
      ...(cas !== undefined && { cas }),
    });
    const added = await wire.batch(["0", "1", "2", "3"].map(casless));
    expect(kinds(added)).toEqual(["ok", "exists", "ok", "ok"]);
    const gone = [deletes("0"), deletes("none"), deletes("1", 1n), deletes("2"), deletes("none")];
    expect(kinds(await wire.batch(gone))).toEqual(["ok", "missing", "exists", "ok", "missing"]);
    expect(await textOf(wire, key("1"))).toBe("there");
    const left = await wire.batch(
      ["0", "2", "3"].map((name): Operation => ({ kind: "get", key: key(name) })),
    );
    expect(kinds(left)).toEqual(["missing", "missing", "ok"]);
  });

  test("add with a ttl keeps the value for that long only", async () => {
    const wire = open();
    await wire.batch([
      { kind: "add", key: key("short"), value: "x", ttlSeconds: 1 },
      { kind: "add", key: key("long"), value: "x", ttlSeconds: 60 },
    ]);
    await expect.poll(() => textOf(wire, key("short")), { timeout: 5_000 }).toBeUndefined();
    expect(await textOf(wire, key("long"))).toBe("x");
  });

  test("get of nothing is missing, and an empty value is a value", async () => {
    const wire = open();
    expect(await ask(wire, { kind: "get", key: key("a") })).toEqual({ kind: "missing" });
    await ask(wire, { kind: "add", key: key("a"), value: "" });
    expect(await textOf(wire, key("a"))).toBe("");
  });

  test("bytes come back as they were sent", async () => {
    const wire = open();
    const value = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
    await ask(wire, { kind: "add", key: key("bytes"), value });
    await ask(wire, { kind: "add", key: key("text"), value: "老鼠爱大米 '\"\r\n" });
    expect(await ask(wire, { kind: "get", key: key("bytes") })).toMatchObject({ value });
    expect(await textOf(wire, key("text"))).toBe("老鼠爱大米 '\"\r\n");
  });

  test("keys may be of any script, up to 250 bytes", async () => {
    const wire = open();
    const long = "é".repeat(125);
    expect(kinds(await wire.batch([{ kind: "add", key: long, value: "x" }]))).toEqual(["ok"]);
    expect(await textOf(wire, long)).toBe("x");
  });

  test("replace needs the cas of the item as it is, and answers the next one", async () => {
    const wire = open();
    await ask(wire, { kind: "add", key: key("a"), value: "one" });
    const cas = await casOf(wire, key("a"));
    const second = await ask(wire, { kind: "replace", key: key("a"), value: "two", cas });
    expect(second).toEqual({ kind: "ok", cas: await casOf(wire, key("a")) });
    expect(await ask(wire, { kind: "replace", key: key("a"), value: "three", cas })).toEqual({
      kind: "exists",
    });
    expect(await ask(wire, { kind: "replace", key: key("none"), value: "x", cas })).toEqual({
      kind: "missing",
    });
    expect(await textOf(wire, key("a"))).toBe("two");
  });

  test("append adds to what is there, and to nothing else", async () => {
    const wire = open();
    expect(await ask(wire, { kind: "append", key: key("l"), value: "a," })).toEqual({ kind: "missing" });
    await ask(wire, { kind: "add", key: key("l"), value: "" });
    const appended = await ask(wire, { kind: "append", key: key("l"), value: "b," });
    expect(appended).toEqual({ kind: "ok", cas: await casOf(wire, key("l")) });
    expect(await textOf(wire, key("l"))).toBe("b,");
  });

  test("delete with a cas takes only the item that has it", async () => {
    const wire = open();
    await ask(wire, { kind: "add", key: key("a"), value: "one" });
    const stale = await casOf(wire, key("a"));
    await ask(wire, { kind: "replace", key: key("a"), value: "two", cas: stale });
    expect(await ask(wire, { kind: "delete", key: key("a"), cas: stale })).toEqual({ kind: "exists" });
    const cas = await casOf(wire, key("a"));
    expect(await ask(wire, { kind: "delete", key: key("a"), cas })).toEqual({ kind: "ok", cas: 0n });
    expect(await ask(wire, { kind: "delete", key: key("a"), cas })).toEqual({ kind: "missing" });
  });

  test("delete without a cas takes whatever is there", async () => {
    const wire = open();
    await ask(wire, { kind: "add", key: key("a"), value: "one" });
    expect(kinds(await wire.batch([{ kind: "delete", key: key("a") }]))).toEqual(["ok"]);
    expect(kinds(await wire.batch([{ kind: "delete", key: key("a") }]))).toEqual(["missing"]);
  });

  test("touch moves the end of an item", async () => {
    const wire = open();
    await ask(wire, { kind: "add", key: key("a"), value: "one" });
    expect(await ask(wire, { kind: "touch", key: key("a"), ttlSeconds: 1 })).toEqual({ kind: "ok", cas: 0n });
    expect(await ask(wire, { kind: "touch", key: key("none"), ttlSeconds: 1 })).toEqual({ kind: "missing" });
    await expect.poll(() => textOf(wire, key("a")), { timeout: 5_000 }).toBeUndefined();
  });

  test("a value over the server's limit is too large, and the others of the batch are done", async () => {
    const wire = open();
    const answers = await wire.batch([
      { kind: "add", key: key("a"), value: "x" },
      { kind: "add", key: key("big"), value: Buffer.alloc(2 ** 20 + 1) },
      { kind: "add", key: key("b"), value: "x" },
    ]);
    expect(kinds(answers)).toEqual(["ok", "tooLarge", "ok"]);
  });

  test("a batch is done in its order", async () => {
    const wire = open();
    const answers = await wire.batch([
      { kind: "get", key: key("a") },
      { kind: "add", key: key("a"), value: "1" },
      { kind: "append", key: key("a"), value: "2" },
      { kind: "get", key: key("a") },
      { kind: "delete", key: key("a") },
      { kind: "get", key: key("a") },
    ]);
    expect(kinds(answers)).toEqual(["missing", "ok", "ok", "ok", "ok", "missing"]);
    expect(answers[3]).toMatchObject({ value: Buffer.from("12") });
  });

  test("an empty batch is answered without a server", async () => {
    const wire = open({ server: { host: "127.0.0.1", port: 1 } });
    expect(await wire.batch([])).toEqual([]);
  });

  test("statistics come by group", async () => {
    const wire = open();
    await ask(wire, { kind: "add", key: key("a"), value: "x" });
    const [general, settings, items, slabs] = await Promise.all([
      wire.stats(""),
      wire.stats("settings"),
      wire.stats("items"),
      wire.stats("slabs"),
    ]);
    expect(general.get("pid")).toBe(String(server.pid));
    expect(settings.get("maxbytes")).toBe(String(256 * 1024 * 1024));
    expect([...items.keys()].some((name) => name.endsWith(":number"))).toBe(true);
    expect([...slabs.keys()]).toContain("total_malloced");
  });
});

describe("a full server", () => {
  test("add and replace are full and keep the old value, append is missing though the item is there", async () => {
    const full = await startMemcached(["-m", "2", "-M"]);
    try {
      const wire = open({ server: full });
      const value = "x".repeat(10_000);
      const adds = Array.from({ length: 400 }, (_, n): Operation => ({
        kind: "add",
        key: `k${String(n)}`,
        value,
      }));
      const answers = await wire.batch(adds);
      expect(new Set(kinds(answers))).toEqual(new Set(["ok", "full"]));
      const cas = await casOf(wire, "k0");
      expect(kinds(await wire.batch([{ kind: "replace", key: "k0", value, cas }]))).toEqual(["full"]);
      expect(kinds(await wire.batch([{ kind: "append", key: "k0", value: "y" }]))).toEqual(["missing"]);
      expect(await textOf(wire, "k0")).toBe(value);
      expect(await casOf(wire, "k0")).toBe(cas);
    } finally {
      await full.stop();
    }
  });
});

describe("many at once", () => {
  test("concurrent batches each get their own answers", async () => {
    const wire = open();
    const names = Array.from({ length: 100 }, (_, n) => key(String(n)));
    const texts = await Promise.all(
      names.map(async (name) => {
        await wire.batch([{ kind: "add", key: name, value: `value of ${name}` }]);
        return textOf(wire, name);
      }),
    );
    expect(texts).toEqual(names.map((name) => `value of ${name}`));
    const { curr_connections: connections } = Object.fromEntries(await wire.stats(""));
    expect(Number(connections)).toBeLessThan(5);
  });

  test("1,000 values of 16 KB and values of 1 MB come whole", async () => {
    const wire = open();
    const names = Array.from({ length: 1_000 }, (_, n) => key(String(n)));
    const textFor = (name: string): string => name.padEnd(16_000, "-");
    const added = await wire.batch(
      names.map((name): Operation => ({ kind: "add", key: name, value: textFor(name) })),
    );
    expect(new Set(kinds(added))).toEqual(new Set(["ok"]));
    const large = Array.from({ length: 20 }, (_, n) => key(`large${String(n)}`));
    await wire.batch(
      large.map((name): Operation => ({ kind: "add", key: name, value: name.padEnd(1_000_000, "+") })),
    );
    const got = await wire.batch([...names, ...large].map((name): Operation => ({ kind: "get", key: name })));
    const texts = got.map((answer) => (answer.kind === "ok" ? answer.value?.toString() : answer.kind));
    expect(texts).toEqual([...names.map(textFor), ...large.map((name) => name.padEnd(1_000_000, "+"))]);
  });

  test.each([2 ** 31 - 3, 2 ** 32 - 3])("request numbers pass %d", async (firstOpaque) => {
    const wire = open({ firstOpaque });
    const operations = Array.from({ length: 10 }, (_, n): Operation => ({
      kind: "add",
      key: key(String(n)),
      value: "x",
    }));
    expect(new Set(kinds(await wire.batch(operations)))).toEqual(new Set(["ok"]));
    expect((await wire.stats("")).get("pid")).toBe(String(server.pid));
    expect(kinds(await wire.batch(operations.slice(0, 3)))).toEqual(["exists", "exists", "exists"]);
  });
});

describe("what the wire refuses to send", () => {
  test.each([
    ["an empty key", { kind: "get", key: "" }],
    ["a key of 251 bytes", { kind: "get", key: "k".repeat(251) }],
    ["a key of 252 bytes in 126 letters", { kind: "get", key: "é".repeat(126) }],
    ["a key with a blank", { kind: "get", key: "a b" }],
    ["a key with a line feed", { kind: "get", key: "a\nb" }],
    ["a key with a zero byte", { kind: "get", key: "a\0b" }],
    ["a replace with cas 0", { kind: "replace", key: "a", value: "x", cas: 0n }],
    ["a delete with cas 0", { kind: "delete", key: "a", cas: 0n }],
    ["a negative ttl", { kind: "touch", key: "a", ttlSeconds: -1 }],
    ["a ttl with a fraction", { kind: "touch", key: "a", ttlSeconds: 1.5 }],
    ["a ttl over 30 days", { kind: "add", key: "a", value: "x", ttlSeconds: 30 * 86_400 + 1 }],
  ] satisfies [string, Operation][])("%s, and the batch around it", async (_, operation) => {
    const wire = open();
    const before = { kind: "add", key: key("a"), value: "x" } as const;
    await expect(wire.batch([before, operation])).rejects.toMatchObject({ code: "BUG" });
    expect(await textOf(wire, key("a"))).toBeUndefined();
  });
});
