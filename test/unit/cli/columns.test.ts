import { expect, test } from "vitest";
import { columns, widthOf } from "../../../src/cli/columns.ts";

test("columns are as wide as their widest text, and lines end without blanks", () => {
  expect(
    columns([
      ["id", "state"],
      ["long-one", ""],
    ]),
  ).toEqual(["id        state", "long-one"]);
});

test("numbers stand to the right", () => {
  expect(
    columns(
      [
        ["n", "x"],
        ["10", "y"],
      ],
      { right: [0] },
    ),
  ).toEqual([" n  x", "10  y"]);
});

test("Chinese text and emoji take two places, accents none", () => {
  expect(widthOf("订单")).toBe(4);
  expect(widthOf("🎉")).toBe(2);
  expect(widthOf("e\u0301")).toBe(1);
});
