import { beforeEach, expect, test } from "vitest";
import { RateLimit } from "../../../src/telemetry/rate-limit.ts";

let said: string[];
let limit: RateLimit;
beforeEach(() => {
  said = [];
  limit = new RateLimit((line) => said.push(line));
});

const fail = (times: number, error: (n: number) => string, from = "memq push"): void => {
  for (let n = 0; n < times; n++)
    limit.say({ line: `task t${String(n)}: ${error(n)}`, from, about: error(n) });
};

test("the first lines of a kind are said, and at the end how many more there were", () => {
  fail(417, () => "no such user");
  expect(said).toEqual([0, 1, 2, 3, 4].map((n) => `task t${String(n)}: no such user`));
  limit.end();
  expect(said.at(-1)).toBe("memq push: … 412 more like this: no such user");
});

test("few lines are all said, and nothing at the end", () => {
  fail(5, () => "no such user");
  limit.end();
  expect(said).toHaveLength(5);
});

test("errors that differ in numbers only are alike", () => {
  fail(100, (n) => `connect ECONNREFUSED 127.0.0.1:${String(40_000 + n)}`);
  limit.end();
  expect(said).toHaveLength(6);
});

test("different errors, and different queues, are counted apart", () => {
  fail(6, () => "one thing");
  fail(6, () => "another");
  fail(6, () => "one thing", "memq mail");
  limit.end();
  expect(said).toHaveLength(18);
  expect(said.slice(-3)).toEqual([
    "memq push: … 1 more like this: one thing",
    "memq push: … 1 more like this: another",
    "memq mail: … 1 more like this: one thing",
  ]);
});

test("a run whose errors all differ says a bounded number of them", () => {
  fail(
    10_000,
    (n) =>
      `error ${String(n)
        .split("")
        .map((digit) => "abcdefghij"[Number(digit)])
        .join("x")}z`,
  );
  limit.end();
  expect(said.length).toBeLessThan(300);
  expect(said.at(-1)).toMatch(/^memq push: … \d{4} more like this: other errors$/);
});
