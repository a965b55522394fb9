import { expect, test } from "vitest";
import { LastLines } from "../../../src/cli/last-lines.ts";

test("the last lines of a process are its own, not those that memq said of other tasks", () => {
  const lines = new LastLines();
  lines.add("memq default: task d7lw-111 ignore failed (attempt 1, again in 1.0s): timed out\n");
  lines.add('image.c:42: Assertion failed\nmemq: queue "mail": it is away\n  next line\n');
  expect(lines.text).toBe("image.c:42: Assertion failed\n  next line");
});

test("of many lines the last twenty are kept", () => {
  const lines = new LastLines();
  for (let n = 0; n < 100; n++) lines.add(`line ${String(n)}\n`);
  expect(lines.text.split("\n")).toEqual(Array.from({ length: 20 }, (_, n) => `line ${String(n + 80)}`));
});
