import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { MemqError, type ErrorCode } from "../../../src/errors.ts";
import { plainCodec } from "../../../src/task/codec.ts";
import type { Draft, Json } from "../../../src/task/task.ts";
import { cpuMs } from "../../cpu-time.ts";

const codec = plainCodec(900_000);

const draftOf = (...args: readonly unknown[]): Draft => ({ method: "push", args: args as Json[] });

function refusal(draft: Draft, by = codec): { code: ErrorCode; message: string } | undefined {
  try {
    by.encode(draft);
    return undefined;
  } catch (error) {
    if (error instanceof MemqError) return { code: error.code, message: error.message };
    throw error;
  }
}

const roundTrip = (draft: Draft): ReturnType<typeof codec.open> =>
  codec.open("1", 7, codec.seal("1", codec.encode(draft)));

describe("what JSON would lose is refused", () => {
  const looped: unknown[] = [];
  looped.push([looped]);
  const family: Record<string, unknown> = {};
  family["children"] = [{ parent: family }, { parent: family }];
  const named: unknown[] & { extra?: string } = [1];
  named.extra = "x";
  class Point {
    x = 1;
  }
  class List extends Array<number> {}

  test.each<[string, unknown]>([
    ["undefined", undefined],
    ["NaN", Number.NaN],
    ["Infinity", Infinity],
    ["-Infinity", -Infinity],
    ["-0", -0],
    ["a bigint", 5n],
    ["a function", () => 1],
    ["a symbol", Symbol("x")],
    ["a Date", new Date(0)],
    ["a Map", new Map()],
    ["a Set", new Set()],
    ["a RegExp", /x/],
    ["an Error", new Error("x")],
    ["a Buffer", Buffer.from("x")],
    ["a boxed string", new String("x")],
    ["a class instance", new Point()],
    ["an array of a class of its own", List.from([1])],
    ["an object on an object without a class", Object.create(Object.create(null) as object)],
    ["a hole", [1, , 3]],
    ["a hole at the end", new Array(2)],
    ["an array with named members", named],
    ["what a pattern found", /x/.exec("x")],
    ["an object with toJSON", { toJSON: () => 1 }],
    [
      "an object that inherits nothing, with toJSON",
      Object.assign(Object.create(null) as object, { toJSON: () => 1 }),
    ],
    ["an object with a symbol key", { [Symbol("x")]: 1 }],
    ["an array in a loop", looped],
    ["objects in a loop", family],
    ["a revoked proxy", revoked()],
    [
      "a getter that throws",
      {
        get x(): never {
          throw new Error("no");
        },
      },
    ],
  ])("%s", (_name, value) => {
    for (const arg of [value, [value], { deep: [{ er: value }] }]) {
      expect(refusal(draftOf(arg))?.code).toBe("ARGS_INVALID");
    }
  });

  test("nesting beyond 500 is refused, 500 are carried", () => {
    const nested = (depth: number): Json => (depth === 0 ? 1 : [nested(depth - 1)]);
    expect(roundTrip(draftOf(nested(500)))).toMatchObject({ kind: "task", task: { args: [nested(500)] } });
    expect(refusal(draftOf(nested(501)))).toMatchObject({ code: "ARGS_INVALID" });
    expect(refusal(draftOf(nested(5_000)))).toMatchObject({ code: "ARGS_INVALID" });
  });

  test("the place is named", () => {
    expect(refusal(draftOf("a", { list: [1, { at: new Date(0) }] }))?.message).toBe(
      "argument 2.list[1].at is a Date, which JSON would lose",
    );
    expect(refusal(draftOf(undefined))?.message).toBe("argument 1 is undefined, which JSON would lose");
  });

  test("a long place is cut to its end", () => {
    const message = refusal(draftOf({ ["k".repeat(100_000)]: { end: undefined } }))?.message ?? "";
    expect(message.length).toBeLessThan(200);
    expect(message).toContain(".end is undefined");
  });

  test("arguments that are no list are refused", () => {
    for (const args of ["hello", undefined, null, 5, { length: 1 }]) {
      expect(refusal({ method: "push", args: args as unknown as Json[] })?.code).toBe("ARGS_INVALID");
    }
  });

  test("a value that is small here and endless as text is refused at once", () => {
    let value: unknown = "x";
    for (let i = 0; i < 60; i++) value = [value, value];
    const before = cpuMs();
    expect(refusal(draftOf(value))?.code).toBe("TASK_TOO_LARGE");
    expect(cpuMs() - before).toBeLessThan(10_000); // to look at all of it would never end
  });
});

describe("what JSON carries", () => {
  test("comes back as it was", () => {
    fc.assert(
      fc.property(fc.array(fc.jsonValue()), (args) => {
        fc.pre(!/-0(?![.\d])/.test(args.map((arg) => printed(arg)).join()));
        const decoded = roundTrip(draftOf(...args));
        expect(decoded).toEqual({ kind: "task", task: { id: "1", bornAt: 7, method: "push", args } });
      }),
    );
  });

  test("includes every text", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        expect(roundTrip(draftOf(text, "\ud800", "\0", "\u2028"))).toMatchObject({
          task: { args: [text, "\ud800", "\0", "\u2028"] },
        });
      }),
    );
  });

  test("includes members called __proto__, constructor and toJSON", () => {
    const args = [JSON.parse('{"__proto__":1,"constructor":2,"toJSON":3}') as Json];
    expect(roundTrip(draftOf(...args))).toEqual({
      kind: "task",
      task: { id: "1", bornAt: 7, method: "push", args },
    });
  });

  test("includes objects without a prototype, and the same object twice", () => {
    const bare = Object.assign(Object.create(null) as object, { a: 1 });
    expect(roundTrip(draftOf(bare, [bare, bare]))).toMatchObject({
      task: { args: [{ a: 1 }, [{ a: 1 }, { a: 1 }]] },
    });
  });
});

describe("a draft", () => {
  test("comes back with everything that belongs to the task", () => {
    const draft: Draft = { class: "W", method: "push", args: [1], key: "k", retries: 0, timeoutMs: 0.5 };
    expect(roundTrip({ ...draft, dueAt: 9, onDuplicate: "replace" })).toEqual({
      kind: "task",
      task: { id: "1", bornAt: 7, ...draft },
    });
  });

  test("that carries its body is kept with it", () => {
    const body = codec.encode(draftOf(1));
    expect(codec.encode({ ...draftOf(2), body })).toBe(body);
  });

  test("that fits max-size to the byte is kept, one byte more is refused", () => {
    for (const text of ["a", "中", "🚀", '"', "\ud800"]) {
      const draft = draftOf(text.repeat(50));
      const bytes = Buffer.byteLength(codec.encode(draft));
      expect(refusal(draft, plainCodec(bytes))).toBeUndefined();
      expect(refusal(draft, plainCodec(bytes - 1))).toEqual({
        code: "TASK_TOO_LARGE",
        message: `the task takes ${String(bytes)} bytes, max-size is ${String(bytes - 1)}`,
      });
    }
  });
});

describe("stored bytes", () => {
  test.each([
    "",
    "{",
    "null",
    "[]",
    "5",
    '"x"',
    "{}",
    '{"v":1}',
    '{"v":0,"m":"push","a":[]}',
    '{"v":"1","m":"push","a":[]}',
    '{"v":1,"m":5,"a":[]}',
    '{"v":1,"m":"push","a":{}}',
    '{"v":1,"m":"push","a":"x"}',
    '{"v":1,"m":"push","a":[],"c":5}',
    '{"v":1,"m":"push","a":[],"k":{}}',
    '{"v":1,"m":"push","a":[],"r":-1}',
    '{"v":1,"m":"push","a":[],"r":1e999}',
    '{"v":1,"m":"push","a":[],"t":0}',
    '{"v":1,"m":"push","a":[],"t":"1s"}',
    '{"v":1,"m":"push","a":[]}\0',
  ])("%s are broken", (text) => {
    expect(codec.open("1", 0, text)).toMatchObject({ kind: "broken" });
  });

  test("hold what they hold, whatever a handler put on Object.prototype", () => {
    const polluted = Object.prototype as Record<string, unknown>;
    const text = codec.encode(draftOf("hello"));
    const alien = { c: "Evil", k: 1, r: "x", t: -1, class: "Evil", key: 1, retries: "x", timeoutMs: -1 };
    try {
      Object.assign(polluted, alien);
      const opened = codec.open("1", 7, text);
      if (opened.kind !== "task") throw new Error(opened.kind);
      const { class: className, key, retries, timeoutMs, method, args } = opened.task;
      expect([className, key, retries, timeoutMs]).toEqual([undefined, undefined, undefined, undefined]);
      expect([method, args]).toEqual(["push", ["hello"]]);
    } finally {
      for (const name of Object.keys(alien)) Reflect.deleteProperty(polluted, name);
    }
  });

  test("nested deeper than anything published are broken: to show them would exhaust the stack", () => {
    const body = (depth: number): string => `{"v":1,"m":"push","a":${"[".repeat(depth)}${"]".repeat(depth)}}`;
    expect(codec.open("1", 0, body(501))).toMatchObject({ kind: "task" }); // the list of arguments is one
    expect(codec.open("1", 0, body(502))).toMatchObject({ kind: "broken" });
    expect(codec.open("1", 0, body(200_000))).toMatchObject({ kind: "broken" });
    const objects = `{"v":1,"m":"push","a":[${'{"a":'.repeat(501)}1${"}".repeat(501)}]}`;
    expect(codec.open("1", 0, objects)).toMatchObject({ kind: "broken" });
  });

  test("are the text that JSON gives, whatever letters a call has", () => {
    const unit = fc.oneof(fc.integer({ min: 0, max: 0xffff }), fc.integer({ min: 0, max: 0x80 }));
    const text = fc.array(unit, { maxLength: 20 }).map((units) => String.fromCharCode(...units));
    const args = fc.oneof(fc.array(text), fc.array(fc.oneof(text, fc.integer(), fc.constant(null))));
    fc.assert(
      fc.property(text, args, (method, values) => {
        expect(codec.encode({ method, args: values })).toBe(JSON.stringify({ v: 1, m: method, a: values }));
      }),
    );
  });

  test("say version 1 but where a result is waited for, which older processes would not keep", () => {
    const call = { method: "sum", args: [1, 2] };
    expect(codec.encode(call)).toBe('{"v":1,"m":"sum","a":[1,2]}');
    const awaited = codec.encode({ ...call, resultMs: 30_000 });
    expect(awaited).toBe('{"v":2,"m":"sum","a":[1,2],"w":30000}');
    expect(codec.open("1", 0, awaited)).toMatchObject({ kind: "task", task: { ...call, resultMs: 30_000 } });
    expect(codec.open("1", 0, '{"v":2,"m":"sum","a":[],"w":"long"}')).toMatchObject({ kind: "broken" });
  });

  test("of a newer version are told from broken ones, whatever else they hold", () => {
    expect(codec.open("1", 0, '{"v":3}')).toEqual({ kind: "newer" });
    expect(codec.open("1", 0, '{"v":3,"m":[],"zip":"x"}')).toEqual({ kind: "newer" });
  });

  test("with members that this version does not know still are the task", () => {
    expect(codec.open("1", 0, '{"v":1,"m":"push","a":[],"z":1}')).toMatchObject({ kind: "task" });
  });

  test("of any kind never make it throw", () => {
    const bytes = fc.uint8Array({ maxLength: 80 }).map((raw) => Buffer.from(raw).toString());
    const near = fc
      .record(
        {
          v: fc.oneof(fc.constant(1), fc.jsonValue()),
          m: fc.jsonValue(),
          a: fc.jsonValue(),
          r: fc.jsonValue(),
          t: fc.jsonValue(),
        },
        { requiredKeys: [] },
      )
      .map((body) => JSON.stringify(body));
    fc.assert(
      fc.property(fc.oneof(bytes, near, fc.string()), (text) => {
        const decoded = codec.open("1", 0, text);
        expect(["task", "newer", "broken"]).toContain(decoded.kind);
        if (decoded.kind === "task") expect(Array.isArray(decoded.task.args)).toBe(true);
      }),
      { numRuns: 500 },
    );
    expect(codec.open("1", 0, "[".repeat(1_000_000)).kind).toBe("broken");
  });
});

function revoked(): unknown {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}

/** As JSON, but telling -0 from 0. */
const printed = (value: unknown): string =>
  JSON.stringify(value, (_key, member: unknown) => (Object.is(member, -0) ? "-0" : member));
