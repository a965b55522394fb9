import { describe, expect, test } from "vitest";
import { enter, faultIn, nobody, rollOf } from "../../../scripts/bench/roll-call.mjs";
import { argsOf } from "../../../scripts/bench/task.mjs";

describe("a roll call", () => {
  const sent = rollOf({ first: 0, count: 1_000 });
  const arrived = (...numbers: readonly number[]): string | undefined => {
    const roll = nobody();
    for (const nth of numbers) enter(roll, argsOf(nth)[0]);
    return faultIn(sent, roll);
  };
  const all = Array.from({ length: 1_000 }, (_, nth) => nth);

  test("finds nothing when all came, in whatever order", () => {
    expect(arrived(...all.toReversed())).toBeUndefined();
  });

  test("finds a task that did not come, and one that came twice", () => {
    expect(arrived(...all.slice(1))).toBe("999 of 1000 tasks arrived");
    expect(arrived(...all, 5)).toBe("1001 of 1000 tasks arrived");
  });

  test("finds tasks that came in place of others, even when their numbers add up", () => {
    expect(arrived(...all.with(7, 8))).toBe("a task arrived twice in place of another");
    expect(arrived(...all.with(1, 2).with(4, 3))).toBe("a task arrived twice in place of another");
  });
});
