import { expect, test } from "vitest";
import { durationMs, formatDuration, parseDuration } from "../../../src/task/duration.ts";

test.each([
  ["0s", 0],
  ["1ms", 1],
  ["90s", 90_000],
  ["20m", 1_200_000],
  ["1h30m", 5_400_000],
  ["1.5h", 5_400_000],
  ["2d", 172_800_000],
  ["0.5ms", 1],
  ["36500d", 3_153_600_000_000],
])("%s is %d ms", (text, ms) => {
  expect(parseDuration(text)).toBe(ms);
  expect(durationMs(text)).toBe(ms);
});

test.each([Infinity, -1, NaN, 1e18, null, undefined, 5n, true])(
  "%s is no duration, and is said as it is",
  (value) => {
    const given = value as never;
    expect(() => durationMs(given)).toThrow(expect.objectContaining({ code: "ARGS_INVALID" }));
    expect(() => durationMs(given)).toThrow(`${String(value)} is not a duration (try 60s or 5m`);
  },
);

test.each([
  "",
  " ",
  "5",
  "-5s",
  "5 s",
  "s",
  "5x",
  "5S",
  "1,5h",
  "1e3s",
  ".5s",
  "5s ",
  "٥s",
  "36501d",
  "9".repeat(400) + "d",
])("%j is no duration, and is quoted back", (text) => {
  expect(parseDuration(text)).toBeUndefined();
  expect(() => durationMs(text)).toThrow(expect.objectContaining({ code: "ARGS_INVALID" }));
  expect(() => durationMs(text)).toThrow(`${JSON.stringify(text)} is not a duration (try 60s or 5m)`);
});

test("a number is taken as ms, unless it is none, negative or beyond a century", () => {
  expect(durationMs(1.5)).toBe(1.5);
  for (const value of [Number.NaN, Infinity, -1, 4e12]) {
    expect(() => durationMs(value)).toThrow(expect.objectContaining({ code: "ARGS_INVALID" }));
  }
});

test.each([
  [0, "0ms"],
  [340, "340ms"],
  [1_000, "1.0s"],
  [9_500, "9.5s"],
  [9_960, "10s"],
  [12_000, "12s"],
  [59_999, "1m"],
  [90_000, "1m 30s"],
  [3_600_000, "1h"],
  [5_430_000, "1h 30m"],
  [200_000_000, "2d 7h"],
])("%d ms are shown as %s", (ms, text) => {
  expect(formatDuration(ms)).toBe(text);
});
