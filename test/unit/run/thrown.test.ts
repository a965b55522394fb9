import { inspect } from "node:util";
import { runInNewContext } from "node:vm";
import { describe, expect, test } from "vitest";
import { describeError } from "../../../src/errors.ts";
import { harmless, harmlessError } from "../../../src/run/thrown.ts";
import { HOSTILE } from "./hostile.ts";

describe("a thrown value that is hostile", () => {
  test.each(HOSTILE)("%s has a line for people", (_name, thrown) => {
    expect(describeError(thrown)).toMatch(/^(threw a value that cannot be shown|x|Error)$/);
  });

  test.each(HOSTILE)("%s is replaced by an error that anybody can look at", (_name, thrown) => {
    const safe = harmless(thrown);
    expect(safe).toBeInstanceOf(Error);
    expect(safe === thrown).toBe(false); // a matcher would look at it
    const { name, message, stack } = safe as Error;
    expect([typeof name, typeof message, typeof stack]).toEqual(["string", "string", "string"]);
    expect(inspect(safe)).toContain("Error");
    expect(harmlessError(thrown)).toBeInstanceOf(Error);
  });
});

describe("a thrown value that is harmless", () => {
  class Refused extends Error {}
  test.each<[string, unknown, string]>([
    ["an error", new Error("no luck"), "no luck"],
    ["an error of a class", new Refused("no luck"), "no luck"],
    ["an error without words", new TypeError(""), "TypeError"],
    ["an error of several", new AggregateError([new Error("a"), "b"], ""), "a; b"],
    ["a DOMException", new DOMException("late", "TimeoutError"), "late"],
    ["an error of another realm", runInNewContext("new Error('far')"), "far"],
    ["an object with a message", { message: "odd" }, "odd"],
    ["a text", "no luck", "no luck"],
    ["an empty text", "", 'threw ""'],
    ["undefined", undefined, "threw undefined"],
    ["null", null, "threw null"],
    ["a number", 5, "threw 5"],
    ["an object", { a: 1 }, 'threw {"a":1}'],
    ["a symbol", Symbol("x"), "threw symbol"],
    ["a bigint", 5n, "threw a value that cannot be shown"],
  ])("%s is passed on as it is, and described", (_name, thrown, line) => {
    expect(harmless(thrown)).toBe(thrown);
    expect(describeError(thrown)).toBe(line);
    expect(describeError(harmlessError(thrown))).toBe(line);
  });

  test("a function becomes an error: it may hold anything", () => {
    expect(harmless(() => 1)).toBeInstanceOf(Error);
  });
});
