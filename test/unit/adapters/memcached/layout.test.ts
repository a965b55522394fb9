import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  controlBytes,
  decodeControl,
  encodeControl,
} from "../../../../src/adapters/memcached/control-codec.ts";
import type { Control } from "../../../../src/adapters/memcached/control.ts";
import {
  bucketEntries,
  bucketPartText,
  bucketText,
  readBucket,
} from "../../../../src/adapters/memcached/bucket.ts";
import { countTasks, entryText, parseEntry, stretchOf } from "../../../../src/adapters/memcached/entries.ts";
import { withGone } from "../../../../src/adapters/memcached/gone-members.ts";
import type { GoneMembers } from "../../../../src/adapters/memcached/gone-members.ts";
import {
  Ids,
  isKeyed,
  isName,
  keyedName,
  keyedNameOf,
  keysOf,
  randomName,
  taskIdOf,
} from "../../../../src/adapters/memcached/names.ts";
import { decodeRecord, encodeRecord, freshText } from "../../../../src/adapters/memcached/record.ts";
import type { StoredRecord } from "../../../../src/adapters/memcached/record.ts";

const word = fc.stringMatching(/^[0-9A-Za-z]{1,12}$/);
const count = fc.nat({ max: 1_000_000 });
const text = fc.string({ unit: "grapheme", maxLength: 60 });

const record: fc.Arbitrary<StoredRecord> = fc
  .record({
    state: fc.constantFrom("ready" as const, "dead" as const, "cancelled" as const),
    bornAt: fc.nat(),
    due: count,
    marked: fc.boolean(),
    run: fc.option(fc.record({ stake: word, generation: count }), { nil: undefined }),
    writer: fc.oneof(fc.constant(""), word),
    nonce: fc.option(word, { nil: undefined }),
    listed: fc.boolean(),
    buriedAt: fc.option(count, { nil: undefined }),
    error: fc.option(text, { nil: undefined }),
    askedFrom: fc.option(fc.integer({ min: 1, max: 1_000 }), { nil: undefined }),
    texts: fc.array(fc.option(text, { nil: undefined }), { minLength: 1, maxLength: 5 }),
    bundled: fc.boolean(),
  })
  .map(({ texts, bundled, ...rest }) => ({
    ...rest,
    bundled,
    members: bundled
      ? texts.map((one, index) => ({ text: one, attempts: index }))
      : [{ text: texts[0] ?? "", attempts: 3 }],
  })) as fc.Arbitrary<StoredRecord>;

const claimed = { id: word, owner: fc.oneof(fc.constant(""), word), generation: count };
const place = fc.record({ entry: count, member: count });
const stake = fc.oneof(
  fc.record({
    kind: fc.constant("tasks" as const),
    ...claimed,
    entries: fc.array(word),
    loose: count,
    suspectsTo: fc.option(place, { nil: undefined }),
    marks: fc.option(
      fc.array(fc.record({ entry: count, member: count, attempts: count }), { minLength: 1 }),
      {
        nil: undefined,
      },
    ),
    gone: fc.option(
      fc.array(
        fc.record({
          entry: count,
          members: fc
            .uniqueArray(fc.integer({ min: 0, max: 999 }), { minLength: 1, maxLength: 20 })
            .map((members) => members.sort((one, other) => one - other)),
        }),
        { minLength: 1, maxLength: 5 },
      ),
      { nil: undefined },
    ),
  }),
  fc.record({ kind: fc.constant("putBack" as const), ...claimed, entries: fc.array(word) }),
  fc.record({ kind: fc.constant("sweep" as const), ...claimed, from: count, to: count }),
  fc.record({
    kind: fc.constant("purge" as const),
    ...claimed,
    lists: fc.array(fc.record({ name: word, from: count })),
  }),
);
const lists = fc.array(fc.record({ name: word, tasks: count }), { minLength: 1, maxLength: 5 });
const control = fc.record({
  epoch: word,
  lists,
  offset: count,
  closing: fc.boolean(),
  stakes: fc.array(stake, { maxLength: 5 }),
  sweptTo: count,
  deadLists: lists,
  lost: count,
  pausedUntilMs: fc.option(fc.oneof(count, fc.constant(Infinity)), { nil: undefined }),
}) as fc.Arbitrary<Control>;

/** Without fields that are there and undefined. */
const plain = (value: unknown): unknown =>
  JSON.parse(JSON.stringify(value, (_key, one: unknown) => (one === Infinity ? "for ever" : one)));

describe("a record", () => {
  test("is read as it was written, whatever was done with it", () => {
    fc.assert(
      fc.property(record, (one) => {
        const read = decodeRecord(Buffer.from(encodeRecord(one)));
        expect(plain(read)).toEqual(plain({ kind: "record", record: one }));
      }),
    );
  });

  test("that is fresh takes a dozen bytes beside its text", () => {
    const written = freshText(Date.UTC(2026, 0, 1), "the text");
    expect(written).toBe("1 r mjuohs00\nthe text");
    expect(decodeRecord(Buffer.from(written))).toMatchObject({
      kind: "record",
      record: { bornAt: Date.UTC(2026, 0, 1), members: [{ text: "the text", attempts: 0 }] },
    });
  });

  test("of a newer version says so", () => {
    expect(decodeRecord(Buffer.from("2 r mjuohs00\nx"))).toEqual({ kind: "newer" });
    expect(decodeRecord(Buffer.from("17 what ever"))).toEqual({ kind: "broken" });
  });

  test("with times that nobody can be told, or with tasks that nobody can have published, is broken", () => {
    const heads = [
      "r 2gosa7pa2gu",
      "r mjuohs00 d=9007199254740991",
      "x mjuohs00 x=9007199254740991",
      "r mjuohs00 a=9007199254740991",
      `r mjuohs00 l=${Array(500_000).fill("0").join(".")}`,
    ];
    for (const head of heads) expect(decodeRecord(Buffer.from(`1 ${head}\n`))).toEqual({ kind: "broken" });
  });

  test("of any other bytes is broken, and nothing is thrown", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
        expect(["record", "broken", "newer"]).toContain(decodeRecord(Buffer.from(bytes)).kind);
      }),
    );
    for (const bytes of [
      "",
      "\n",
      "1",
      "1 r",
      "1 r \n",
      "1 r ?\nx",
      "1 q mjuohs00\nx",
      "1 r m d=x\n",
      "1 r m l=9\nabc",
    ]) {
      expect(decodeRecord(Buffer.from(bytes)).kind).toBe("broken");
    }
  });
});

describe("a control block", () => {
  test("is read as it was written", () => {
    fc.assert(
      fc.property(control, (one) => {
        expect(plain(decodeControl(Buffer.from(encodeControl(one))))).toEqual(
          plain({ kind: "control", control: one }),
        );
      }),
    );
  });

  test("has one of few sizes, so that what is set aside for it fits", () => {
    fc.assert(
      fc.property(control, (one) => {
        const written = encodeControl(one);
        expect(written.length).toBe(controlBytes(written));
        expect([824, 3_896, 16_184]).toContain(written.length);
      }),
    );
  });

  test("needs no larger size for all that may be said of the bundles in its stakes", () => {
    const sizes = fc.array(fc.integer({ min: 2, max: 256 }), { minLength: 1, maxLength: 60 });
    fc.assert(
      fc.property(control, sizes, (one, bundles) => {
        const stake = {
          kind: "tasks" as const,
          id: "s",
          owner: "o",
          generation: 0,
          entries: bundles.map((members, at) => entryText({ name: String(at), members, again: false })),
          loose: 0,
        };
        const { length } = encodeControl({ ...one, stakes: [stake] });
        let gone: readonly GoneMembers[] = [];
        for (const [entry, members] of bundles.entries()) {
          gone = withGone(gone, entry, new Set(Array(members).keys()));
          expect(encodeControl({ ...one, stakes: [{ ...stake, gone }] })).toHaveLength(length);
        }
      }),
    );
  });

  test("says of a bundle who has left it in a letter for four of its tasks", () => {
    const stake = { c: "a", o: "", g: 1, i: ["b~9"], m: 0, d: [[0, "105"]] };
    const [one] = fc.sample(control, 1);
    const block = JSON.parse(encodeControl(one as Control)) as Record<string, unknown>;
    const decoded = decodeControl(Buffer.from(JSON.stringify({ ...block, cl: [stake] })));
    const gone = [{ entry: 0, members: [0, 2, 8] }];
    expect(decoded).toMatchObject({ kind: "control", control: { stakes: [{ gone }] } });
    if (decoded.kind === "control") expect(encodeControl(decoded.control)).toContain('"d":[[0,"105"]]');
  });

  test("of a newer version says so", () => {
    expect(decodeControl(Buffer.from('{"v":2,"e":7}'))).toEqual({ kind: "newer" });
  });

  test("of any other bytes is broken, and nothing is thrown", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (bytes) => {
        expect(["broken", "newer"]).toContain(decodeControl(Buffer.from(bytes)).kind);
      }),
    );
  });

  test("that pauses until a time that nobody can be told pauses until it is resumed", () => {
    const [one] = fc.sample(control, 1);
    const block = JSON.parse(encodeControl(one as Control)) as Record<string, unknown>;
    const decoded = decodeControl(Buffer.from(JSON.stringify({ ...block, p: Number.MAX_SAFE_INTEGER })));
    expect(decoded).toMatchObject({ kind: "control", control: { pausedUntilMs: Infinity } });
  });

  test("releases no more in one stake than anybody would have claimed", () => {
    const [one] = fc.sample(control, 1);
    const block = JSON.parse(encodeControl(one as Control)) as Record<string, unknown>;
    const cl = [{ c: "a", o: "", g: 0, s: [0, Number.MAX_SAFE_INTEGER] }];
    const decoded = decodeControl(Buffer.from(JSON.stringify({ ...block, cl })));
    const [stake] = decoded.kind === "control" ? decoded.control.stakes : [];
    expect(stake?.kind === "sweep" && stake.to - stake.from).toBe(70 * 86_400);
  });

  test("whose epoch would make keys too long is broken", () => {
    const [one] = fc.sample(control, 1);
    const block = JSON.parse(encodeControl(one as Control)) as Record<string, unknown>;
    expect(decodeControl(Buffer.from(JSON.stringify({ ...block, e: "e".repeat(40) })))).toEqual({
      kind: "broken",
    });
  });

  test("with any field of another kind is broken, or reads as a block", () => {
    fc.assert(
      fc.property(
        control,
        fc.constantFrom("v", "e", "segs", "off", "cl", "sw", "dl", "lost"),
        fc.jsonValue(),
        (one, field, value) => {
          const block = JSON.parse(encodeControl(one)) as Record<string, unknown>;
          block[field] = value;
          expect(["control", "broken", "newer"]).toContain(
            decodeControl(Buffer.from(JSON.stringify(block))).kind,
          );
        },
      ),
    );
  });
});

describe("a list", () => {
  const entry = fc.record({ name: word, members: fc.integer({ min: 1, max: 256 }), again: fc.boolean() });

  test("gives its entries in order, some at a time, however it is cut", () => {
    fc.assert(
      fc.property(
        fc.array(entry),
        fc.integer({ min: 1, max: 300 }),
        fc.integer({ min: 1, max: 5 }),
        (entries, tasks, most) => {
          const written = entries.map((one) => `${entryText(one)},`).join("");
          const read = [];
          for (let from = 0; from < written.length;) {
            const stretch = stretchOf(written, from, { tasks, most });
            expect(stretch.entries.length).toBeGreaterThan(0);
            read.push(...stretch.entries.map(({ name, members, again }) => ({ name, members, again })));
            from = stretch.end;
          }
          expect(read).toEqual(entries);
          expect(countTasks(written)).toBe(entries.reduce((sum, { members }) => sum + members, 0));
        },
      ),
    );
  });

  test("passes over bytes that are no entry", () => {
    expect(stretchOf("a1,,\u0000\u00ff,b2~3!,half", 0, { tasks: 9, most: 9 })).toMatchObject({
      entries: [{ name: "a1" }, { name: "b2", members: 3, again: true }, { name: "half" }],
      broken: 2,
    });
    expect(parseEntry("a".repeat(41))).toBeUndefined();
  });

  test("of delayed tasks gives name and second, and passes over the rest", () => {
    const entries = [
      { name: "a", due: 1_767_225_600, parked: false },
      { name: "k0-n.3", due: 5, parked: true },
    ];
    expect(bucketEntries(`${entries.map(bucketText).join(",")},x@y,@5,>p@5,`)).toEqual(entries);
  });

  test("of delayed tasks that are too many for one item name parts, each once, with the count of those that have ended", () => {
    const parts = [
      { part: "one", second: 61 },
      { part: "one", second: 61, count: 7 },
      { part: "two", second: 61 },
      { part: "one", second: 61, count: 6 },
    ];
    const text = `a@60,${parts.map(bucketPartText).join(",")},>x@y,`;
    expect(readBucket(1, text)).toEqual({
      minute: 1,
      entries: [{ name: "a", due: 60, parked: false }],
      parts: [
        { part: "one", second: 61, count: 7 },
        { part: "two", second: 61 },
      ],
    });
  });
});

describe("names", () => {
  test("of a queue, whatever characters it has, give keys that memcached takes", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme", maxLength: 200 }), (queue) => {
        const keys = keysOf(queue);
        const longest = keys.record("e".repeat(8), `${keyedName("k")}-${"n".repeat(8)}`);
        for (const key of [
          keys.control,
          longest,
          keys.bucketPart("e".repeat(8), 29_453_760, "p".repeat(8)),
        ]) {
          expect(key).toMatch(/^[\x21-\x7e]{1,250}$/);
        }
      }),
    );
  });

  test("of two queues never meet", () => {
    const queues = ["a", "a:b", "a%3ab", "A", "a ", "", "q".repeat(300), "q".repeat(301), "~x"];
    expect(new Set(queues.map((queue) => keysOf(queue).control)).size).toBe(queues.length);
  });

  test("of records are never the same twice, and are known as ours", () => {
    const ids = new Ids(randomName);
    const names = Array.from({ length: 5_000 }, () => ids.next());
    expect(new Set(names).size).toBe(5_000);
    expect(names.every(isName)).toBe(true);
    expect(names.some(isKeyed)).toBe(false);
  });

  test("of a key's tasks lead to the key's record", () => {
    const name = keyedName('order:42\n"王"');
    const id = taskIdOf(name, "abcd1234");
    expect(isKeyed(name)).toBe(true);
    expect(isName(id)).toBe(true);
    expect(keyedNameOf(id)).toBe(name);
    expect(keyedNameOf(name)).toBeUndefined();
    expect(keyedNameOf("plain-thing")).toBeUndefined();
  });
});
