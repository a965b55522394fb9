import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { MemqError, type ErrorCode } from "../../../src/errors.ts";
import { checkedCall, parseCall } from "../../../src/task/call.ts";
import type { Call } from "../../../src/task/task.ts";

function codeOf(work: () => unknown): ErrorCode | undefined {
  try {
    work();
    return undefined;
  } catch (error) {
    if (error instanceof MemqError) return error.code;
    throw error;
  }
}

describe("the words of a command line", () => {
  test("are a method and its arguments, each a string", () => {
    expect(parseCall(["saveToLocal", "hello", "42", "true"])).toEqual({
      method: "saveToLocal",
      args: ["hello", "42", "true"],
    });
  });

  test("keep every character of an argument", () => {
    const words = ["", " ", "'", '"', "中文，‘引号’", "a\nb", "$(rm -rf /)", "`x`", "\\n", "🚀"];
    expect(parseCall(["push", ...words]).args).toEqual(words);
  });

  test("may name a class beside them", () => {
    expect(parseCall(["push", "1"], { class: "PushWorker" })).toEqual({
      class: "PushWorker",
      method: "push",
      args: ["1"],
    });
  });

  test("that look like a call only behind the method are arguments", () => {
    expect(parseCall(["push", "f('x')"]).args).toEqual(["f('x')"]);
  });

  test("name a method at least", () => {
    expect(codeOf(() => parseCall([]))).toBe("CALL_INVALID");
  });

  test("are JSON when that is asked for", () => {
    const call = parseCall(["push", '"42"', "-1.5e3", '{"a":[null,true]}'], { jsonArgs: true });
    expect(call.args).toEqual(["42", -1500, { a: [null, true] }]);
  });

  test("that are no JSON are quoted back with their place", () => {
    expect(() => parseCall(["push", "1", "hello"], { jsonArgs: true })).toThrow(
      /argument 2 is not JSON: "hello"/,
    );
    expect(codeOf(() => parseCall(["push", "hello"], { jsonArgs: true }))).toBe("ARGS_INVALID");
  });

  test("that hold an integer too large for a number are refused instead of rounded", () => {
    for (const text of ["1234567890123456789", '{"id":-9007199254740993}', "[1,[12345678901234567890]]"]) {
      expect(codeOf(() => parseCall(["push", text], { jsonArgs: true }))).toBe("ARGS_INVALID");
    }
    for (const text of [
      '"1234567890123456789"',
      "9007199254740991",
      '"\\"1234567890123456789"',
      "0.1234567890123456789",
    ]) {
      expect(codeOf(() => parseCall(["push", text], { jsonArgs: true }))).toBeUndefined();
    }
  });
});

describe("call text", () => {
  const read = (text: string): Call => parseCall([text]);

  test.each([
    ["saveToLocal('hello')", ["hello"]],
    ['saveToLocal("hello");', ["hello"]],
    ["  saveToLocal  ( 'a' , 'b' , ) ; ", ["a", "b"]],
    ["saveToLocal()", []],
    ["saveToLocal('中文，‘引号’ \"双\"')", ['中文，‘引号’ "双"']],
    [String.raw`saveToLocal('it\'s', "say \"hi\"", 'a\\b')`, ["it's", 'say "hi"', "a\\b"]],
    [
      String.raw`saveToLocal('\n\r\t\b\f\v\0|\x41|\u4e2d|\ud83d\ude80|\u{1F680}|\q')`,
      ["\n\r\t\b\f\v\0|A|中|🚀|🚀|q"],
    ],
    ["saveToLocal('one\\\ntwo')", ["onetwo"]],
    ["saveToLocal('two\nlines')", ["two\nlines"]],
    [
      "saveToLocal([1, [2, [3, []]], {}], {a: {'b': [true, {\"c d\": null}]}})",
      [[1, [2, [3, []]], {}], { a: { b: [true, { "c d": null }] } }],
    ],
    [
      "saveToLocal(0, -1, 2.5, .5, 1e3, -1.5E-2, true, false, null)",
      [0, -1, 2.5, 0.5, 1000, -0.015, true, false, null],
    ],
    ["saveToLocal({a: 1, a: 2})", [{ a: 2 }]],
  ])("%s is read", (text, args) => {
    expect(read(text)).toEqual({ method: "saveToLocal", args });
  });

  test.each([
    "saveToLocal(",
    "saveToLocal('a'",
    "saveToLocal('a",
    "saveToLocal('a\\",
    "saveToLocal('a') + 1",
    "saveToLocal('a').then()",
    "saveToLocal('a'); other('b')",
    "saveToLocal('a' 'b')",
    "saveToLocal('a' + 'b')",
    "saveToLocal(,)",
    "saveToLocal(['a',,])",
    "saveToLocal({a})",
    "saveToLocal({'a' 1})",
    "saveToLocal({[a]: 1})",
    "saveToLocal(x)",
    "saveToLocal(undefined)",
    "saveToLocal(NaN)",
    "saveToLocal(constructor)",
    "saveToLocal(__proto__)",
    "saveToLocal(toString)",
    "saveToLocal(new Date())",
    "saveToLocal(process.exit(1))",
    "saveToLocal(`a`)",
    "saveToLocal(/a/)",
    "saveToLocal(007)",
    "saveToLocal(0x10)",
    "saveToLocal(1n)",
    "saveToLocal(1.)",
    "saveToLocal(+1)",
    "saveToLocal(1.5.2)",
    String.raw`saveToLocal('\u12')`,
    String.raw`saveToLocal('\xZZ')`,
    String.raw`saveToLocal('\u{110000}')`,
    String.raw`saveToLocal('\u{}')`,
    String.raw`saveToLocal('\u{1F680')`,
    `saveToLocal(${"[".repeat(600)}`,
  ])("%j is no call of literals", (text) => {
    expect(codeOf(() => read(text))).toBe("CALL_INVALID");
  });

  test("says where reading stopped", () => {
    expect(() => read("saveToLocal('a', oops)")).toThrow(/cannot be read at "oops\)": only literals/);
    expect(() => read("saveToLocal('a'")).toThrow(/at its end/);
  });

  test("stands alone: arguments beside it are refused", () => {
    expect(codeOf(() => parseCall(["saveToLocal('a')", "b"]))).toBe("CALL_INVALID");
    expect(() => parseCall(["saveToLocal('a')", "b"])).toThrow(/a whole call/);
  });

  test("runs nothing, whatever it holds", () => {
    const touched: string[] = [];
    (globalThis as Record<string, unknown>)["touch"] = () => touched.push("touched");
    for (const text of [
      "f(touch())",
      "f('${touch()}')",
      "touch(touch())",
      "f({get a(){touch()}})",
      "f((touch)())",
    ]) {
      codeOf(() => read(text));
    }
    delete (globalThis as Record<string, unknown>)["touch"];
    expect(touched).toEqual([]);
  });

  test("that spells __proto__ as a key makes a plain member of that name", () => {
    const [arg] = read(`push({"__proto__": {"polluted": 1}})`).args;
    expect(Object.keys(arg as object)).toEqual(["__proto__"]);
    expect(Object.getPrototypeOf(arg)).toBe(Object.prototype);
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });

  test("carries whatever JSON carries", () => {
    const exact = fc.jsonValue().filter((value) => !/\d{16}|-0[,\]}]|-0$/.test(JSON.stringify(value)));
    fc.assert(
      fc.property(fc.array(exact), (args) => {
        const json = args.map((arg) => JSON.stringify(arg));
        expect(read(`push(${json.join(", ")})`).args).toEqual(
          json.map((text) => JSON.parse(text) as unknown),
        );
      }),
    );
  });

  test("of any shape is read or refused, never anything else", () => {
    const pieces = fc.constantFrom(
      "f",
      "(",
      ")",
      "'",
      '"',
      "\\",
      "[",
      "]",
      "{",
      "}",
      ":",
      ",",
      "1",
      "-",
      ".",
      "e",
      "\\u",
      "\n",
      "true",
      ";",
      "中",
    );
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 30 }), (parts) => {
        expect([undefined, "CALL_INVALID", "ARGS_INVALID"]).toContain(
          codeOf(() => read(`f(${parts.join("")}`)),
        );
      }),
    );
  });
});

test.each(["push(12345678901234567890)", "push([-9007199254740993], 'x')"])(
  "%s is a bad argument in text that can be read",
  (text) => {
    expect(codeOf(() => parseCall([text]))).toBe("ARGS_INVALID");
    expect(codeOf(() => parseCall(["push", "12345678901234567890"], { jsonArgs: true }))).toBe(
      "ARGS_INVALID",
    );
  },
);

describe("a name", () => {
  test.each([
    "constructor",
    "close",
    "__proto__",
    "toString",
    "valueOf",
    "hasOwnProperty",
    "_x",
    "__defineGetter__",
  ])("%s can never be a method", (name) => {
    expect(codeOf(() => parseCall([name]))).toBe("CALL_INVALID");
    expect(codeOf(() => parseCall([`${name}('x')`]))).toBe("CALL_INVALID");
    expect(codeOf(() => checkedCall({ method: name, args: [] }))).toBe("CALL_INVALID");
  });

  test.each(["1abc", "a-b", "", "a b", " ", "a.b", "a'", "#a", "a\0", "@a", "Worker.push('x')", "a\u200b"])(
    "%j cannot be a method",
    (name) => {
      expect(codeOf(() => parseCall([name]))).toBe("CALL_INVALID");
    },
  );

  test.each(["push", "$push", "p", "发送", "push2", "señal", "push_all"])("%s can be a method", (method) => {
    expect(parseCall([method])).toEqual({ method, args: [] });
    expect(parseCall([`${method}()`])).toEqual({ method, args: [] });
  });

  test("of a class follows the same letters", () => {
    for (const name of ["", "a b", "1a", "a-b", "../x"]) {
      expect(codeOf(() => parseCall(["push"], { class: name }))).toBe("CALL_INVALID");
    }
    expect(parseCall(["push"], { class: "_Internal" }).class).toBe("_Internal");
  });

  test("that is no text is refused, from plain JavaScript too", () => {
    for (const name of [undefined, null, 5, {}, [], Symbol("x")]) {
      expect(codeOf(() => checkedCall({ method: name as string, args: [] }))).toBe("CALL_INVALID");
    }
    expect(codeOf(() => checkedCall({ class: 5 as unknown as string, method: "push", args: [] }))).toBe(
      "CALL_INVALID",
    );
  });

  test("is quoted back, cut where it is long", () => {
    expect(() => parseCall(["x".repeat(1_000) + "!"])).toThrow(/^"x{60}…" cannot be the name of a method$/);
  });
});
