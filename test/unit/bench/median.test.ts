import { expect, test } from "vitest";
import { median } from "../../../scripts/bench/median.mjs";

test("a median is the middle figure, or the mean of the two in the middle", () => {
  expect(median([9, 1, 5])).toBe(5);
  expect(median([9, 1, 5, 6])).toBe(5.5);
  expect(median([])).toBeNaN();
});
