import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { checkedEvent, isPattern, matchesTopic, topicFault } from "../../../src/task/topic.ts";
import { cpuMs } from "../../cpu-time.ts";

/** Every way in which the pattern can stand for the words, tried out. */
function meets(pattern: readonly string[], words: readonly string[]): boolean {
  const [part, ...parts] = pattern;
  const [word, ...rest] = words;
  if (part === undefined) return word === undefined;
  if (part === "#") return meets(parts, words) || (word !== undefined && meets(pattern, rest));
  return word !== undefined && (part === "*" || part === word) && meets(parts, rest);
}
const split = (topic: string): string[] => (topic === "" ? [] : topic.split("."));

describe("a topic pattern", () => {
  test.each([
    ["order_create", "order_create"],
    ["*.*.WAIT_SELLER_SEND_GOODS", "trade.7.WAIT_SELLER_SEND_GOODS"],
    ["order.#", "order"],
    ["order.#", "order.42.paid"],
    ["#", ""],
    ["#", "a.b.c"],
    ["#.#", ""],
    ["#.paid", "paid"],
    ["#.paid", "paid.order.paid"],
    ["a.#.b", "a.b"],
    ["*.#", "a"],
    ["#.*", "a.b"],
    ["", ""],
    ["*", "a"],
    ["a.*", "a."], // the empty word is a word
  ])("%j stands for the event %j", (pattern, event) => {
    expect(matchesTopic(pattern, event)).toBe(true);
  });

  test.each([
    ["order_create", "order_created"],
    ["*.*.WAIT_SELLER_SEND_GOODS", "trade.WAIT_SELLER_SEND_GOODS"],
    ["*.*.WAIT_SELLER_SEND_GOODS", "a.b.c.WAIT_SELLER_SEND_GOODS"],
    ["*", ""],
    ["*.#", ""],
    ["", "a"],
    ["a", ""],
    ["a.b", "a"],
    ["a.#.b", "a.c"],
    ["order.#", "orders.1"],
    ["a.*", "a.b.c"],
    ["A", "a"],
  ])("%j does not stand for the event %j", (pattern, event) => {
    expect(matchesTopic(pattern, event)).toBe(false);
  });

  test("stands for what trying every way finds", () => {
    const word = fc.constantFrom("a", "b", "*", "#");
    const topic = fc.array(word, { maxLength: 6 }).map((words) => words.join("."));
    fc.assert(
      fc.property(topic, topic, (pattern, event) => {
        expect(matchesTopic(pattern, event)).toBe(meets(split(pattern), split(event)));
      }),
      { numRuns: 2_000 },
    );
  });

  test("of nothing but # takes no time to be found wrong", () => {
    const before = cpuMs();
    expect(matchesTopic(`${"#.*.".repeat(60)}b`, "a.".repeat(120))).toBe(false);
    expect(cpuMs() - before).toBeLessThan(1_000);
  });

  test("is one when a whole word is * or #", () => {
    expect(["a.*", "#", "*"].map(isPattern)).toEqual([true, true, true]);
    expect(["a", "", "a.b"].map(isPattern)).toEqual([false, false, false]);
  });
});

test("an event is a text of at most 255 bytes that can be printed and is no pattern", () => {
  expect([checkedEvent(""), checkedEvent("订单.付款"), topicFault("x".repeat(255))]).toEqual([
    "",
    "订单.付款",
    undefined,
  ]);
  for (const bad of ["x".repeat(256), "a\nb", "order.*", "#", 5 as never])
    expect(() => checkedEvent(bad)).toThrow(expect.objectContaining({ code: "ARGS_INVALID" }) as Error);
});
