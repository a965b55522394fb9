import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { nearest } from "../../../src/task/nearest.ts";
import { cpuMs } from "../../cpu-time.ts";

const keys = ["queuename", "queueip", "queueport", "classname", "timeout", "max-size", "task[]"];

describe("the nearest word", () => {
  test.each([
    ["queueprot", "queueport"], // two neighbours swapped
    ["quueport", "queueport"], // a letter missing
    ["queueporrt", "queueport"], // a letter too many
    ["queuexort", "queueport"], // another letter
    ["QueueName", "queuename"],
    ["maxSize", "max-size"],
    ["max_size", "max-size"],
    ["task", "task[]"],
    ["timeuot", "timeout"],
  ])("to %s is %s", (word, meant) => {
    expect(nearest(word, keys)).toBe(meant);
  });

  test.each(["", "x", "color", "queue", "entirely-different"])("to %j is none", (word) => {
    expect(nearest(word, keys)).toBeUndefined();
  });

  test("is none for a word that is too long to be a slip", () => {
    expect(nearest("t".repeat(10_000), ["t".repeat(10_000)])).toBeUndefined();
  });

  test("is the first of two that are equally near", () => {
    expect(nearest("pusx", ["pusa", "pusb"])).toBe("pusa");
  });

  test("is none where there are no candidates", () => {
    expect(nearest("push", [])).toBeUndefined();
  });

  test("is the word itself when it is there", () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1, maxLength: 64 }), (word) => {
        expect(nearest(word, [word])).toBe(word);
      }),
    );
  });

  test("is found within a second among many long candidates", () => {
    const before = cpuMs();
    nearest(
      "a".repeat(64),
      Array.from({ length: 300 }, (_, index) => `${"b".repeat(120)}${String(index)}`),
    );
    expect(cpuMs() - before).toBeLessThan(1_000);
  });
});
