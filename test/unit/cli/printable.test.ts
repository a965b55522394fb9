import { expect, test } from "vitest";
import { counted, cut, printable, printableLines } from "../../../src/cli/printable.ts";

test("what a terminal would act on is shown, not sent", () => {
  expect(printable("\u001b[2Jx\n\u009b1m\u202e")).toBe("\\u001b[2Jx\\n\\u009b1m\\u202e");
});

test("Chinese, emoji and accents stay as they are", () => {
  expect(printable("你好 👩‍👩‍👧 é")).toBe("你好 👩‍👩‍👧 é");
});

test("of several lines the line breaks stay", () => {
  expect(printableLines("a\n\tb\u0007")).toBe("a\n\tb\\u0007");
});

test("a text is cut to the limit, never through a character", () => {
  expect(cut("abc", 3)).toBe("abc");
  expect(cut("abcd", 3)).toBe("ab…");
  expect(cut("a🎉bcd", 3)).toBe("a…");
});

test("one is singular, none and many are plural", () => {
  expect([counted(0, "task"), counted(1, "task"), counted(2, "task")]).toEqual([
    "0 tasks",
    "1 task",
    "2 tasks",
  ]);
});
