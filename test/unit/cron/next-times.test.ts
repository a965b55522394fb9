import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { cronTimes } from "../../../src/config/cadence.ts";
import { momentsInWords } from "../../../src/cron/moments-in-words.ts";
import { nextTimes } from "../../../src/cron/next-times.ts";

const before = process.env["TZ"];
beforeEach(() => {
  process.env["TZ"] = "Europe/Berlin";
});
afterEach(() => {
  if (before === undefined) delete process.env["TZ"];
  else process.env["TZ"] = before;
});

const next = (cron: string, after: string, count = 3): string[] => {
  const times = cronTimes(cron);
  if (times === undefined) throw new Error(`${cron} is none`);
  return nextTimes(times, Date.parse(after), count).map((ms) => new Date(ms).toISOString().slice(0, 16));
};

test("the next moments come after now, also when now is one", () => {
  expect(next("*/10 * * * *", "2026-01-31T22:50:00Z")).toEqual([
    "2026-01-31T23:00",
    "2026-01-31T23:10",
    "2026-01-31T23:20",
  ]);
});

test("local time counts", () => {
  expect(next("0 7 * * *", "2026-07-01T00:00:00Z", 1)).toEqual(["2026-07-01T05:00"]);
});

test("day and weekday are alternatives, unless one begins with a star", () => {
  expect(next("0 12 1 * fri", "2026-04-29T12:00:00Z")).toEqual([
    "2026-05-01T10:00",
    "2026-05-08T10:00",
    "2026-05-15T10:00",
  ]);
  expect(next("0 12 */30 * fri", "2026-04-29T12:00:00Z", 2)).toEqual([
    "2026-05-01T10:00",
    "2026-07-31T10:00",
  ]);
});

test("29 February is found over a century without one", () => {
  expect(next("0 12 29 2 *", "2096-03-01T00:00:00Z", 1)).toEqual(["2104-02-29T11:00"]);
});

describe("when the clock is put forward", () => {
  test("a fixed time that is left out comes right after", () => {
    expect(next("30 2 * * *", "2026-03-28T22:00:00Z", 2)).toEqual(["2026-03-29T01:00", "2026-03-30T00:30"]);
  });

  test("a rhythm goes on", () => {
    expect(next("*/30 * * * *", "2026-03-29T00:20:00Z")).toEqual([
      "2026-03-29T00:30",
      "2026-03-29T01:00",
      "2026-03-29T01:30",
    ]);
  });
});

describe("when the clock is put back", () => {
  test("a fixed time comes once", () => {
    expect(next("30 2 * * *", "2026-10-24T22:00:00Z", 2)).toEqual(["2026-10-25T00:30", "2026-10-26T01:30"]);
  });

  test("a rhythm goes on", () => {
    expect(next("*/30 * * * *", "2026-10-25T00:20:00Z", 4)).toEqual([
      "2026-10-25T00:30",
      "2026-10-25T01:00",
      "2026-10-25T01:30",
      "2026-10-25T02:00",
    ]);
  });
});

test("moments are told by the day", () => {
  const now = Date.parse("2026-01-31T22:55:00Z");
  const moments = ["2026-01-31T22:56Z", "2026-01-31T23:00Z", "2026-01-31T23:10Z", "2026-02-02T06:00Z"];
  expect(momentsInWords(moments.map(Date.parse), now)).toBe(
    "today at 23:56; tomorrow at 00:00 and 00:10; Monday 2026-02-02 at 07:00",
  );
});
