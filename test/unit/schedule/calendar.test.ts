import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { cronTimes } from "../../../src/config/cadence.ts";
import { makeCalendar, type Calendar } from "../../../src/schedule/calendar.ts";
import { zoneOf, type Zone } from "../../../src/schedule/zone.ts";
import { changesOf, cronRuns, Wall } from "./cron-oracle.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

function calendar(cron: string, zone: string | Zone | undefined): Calendar {
  const times = cronTimes(cron);
  if (times === undefined) throw new Error(`${cron} is no cron expression`);
  return makeCalendar(times, typeof zone === "object" ? zone : zoneOf(zone));
}

function timesOf(one: Calendar, fromMs: number, untilMs: number): number[] {
  const times: number[] = [];
  for (let at = one.next(fromMs); at !== undefined && at <= untilMs; at = one.next(at)) times.push(at);
  return times;
}

const nextOf = (cron: string, zone: string, after: string, count = 1): string[] => {
  const one = calendar(cron, zone);
  const times: string[] = [];
  for (let at: number | undefined = Date.parse(after); times.length < count && at !== undefined;) {
    at = one.next(at);
    if (at !== undefined) times.push(new Date(at).toISOString().slice(0, 16));
  }
  return times;
};

const EXPRESSIONS = [
  "*/10 * * * *",
  "7 * * * *",
  "0 */2 * * *",
  "*/20 2 * * *",
  "* 1-3 * * *",
  "0 0 * * *",
  "30 0 * * *",
  "30 1 * * *",
  "15,30,45 1,2 * * *",
  "30 2 * * *",
  "59 2 * * *",
  "0 3 * * *",
  "5 2,3 * * *",
  "0-59/7 0-4 * * *",
  "45 23 * * *",
  "30 2 * * 0",
  "30 2 29 * 1",
  "0 2 */2 * 0",
  "@hourly",
];

// Whole hours north and south, half an hour, two hours, around Ramadan, at midnight, and places without.
const ZONES = [
  "Europe/Berlin",
  "Europe/London",
  "America/New_York",
  "America/Santiago",
  "America/St_Johns",
  "America/Havana",
  "Asia/Beirut",
  "Australia/Lord_Howe",
  "Australia/Adelaide",
  "Antarctica/Troll",
  "Africa/Casablanca",
  "Africa/Cairo",
  "Pacific/Chatham",
  "Atlantic/Azores",
];
const STEADY_ZONES = [
  "UTC",
  "Asia/Kolkata",
  "Asia/Kathmandu",
  "Asia/Tehran",
  "America/Sao_Paulo",
  "Pacific/Apia",
];

const YEARS = [Date.UTC(2026, 0, 1), Date.UTC(2028, 0, 1)] as const;

describe("over every clock change of 2026 and 2027 it fires when cron does", () => {
  test.each(ZONES)("in %s", (zone) => {
    const wall = new Wall(zone);
    const changes = changesOf(wall, YEARS);
    expect(changes.length).toBeGreaterThanOrEqual(4);
    for (const change of changes) {
      const span = [change - 30 * HOUR_MS, change + 30 * HOUR_MS] as const;
      for (const cron of EXPRESSIONS) {
        const plain = cron === "@hourly" ? "0 * * * *" : cron;
        const fired = timesOf(calendar(cron, zone), ...span);
        expect([cron, fired.map(iso)]).toEqual([cron, cronRuns(plain, wall, span).map(iso)]);
      }
    }
  });

  test.each(STEADY_ZONES)("in %s, where there is none", (zone) => {
    const wall = new Wall(zone);
    expect(changesOf(wall, YEARS)).toEqual([]);
    const span = [Date.UTC(2026, 2, 28), Date.UTC(2026, 2, 31)] as const;
    for (const cron of EXPRESSIONS.slice(0, -1)) {
      expect(timesOf(calendar(cron, zone), ...span).map(iso)).toEqual(cronRuns(cron, wall, span).map(iso));
    }
  });

  test("whatever the expression is", () => {
    const walls = ["Europe/Berlin", "Australia/Lord_Howe", "Africa/Casablanca"].map(
      (zone) => [zone, new Wall(zone)] as const,
    );
    const changes = walls.flatMap(([zone, wall]) =>
      changesOf(wall, YEARS).map((change) => ({ zone, wall, change })),
    );
    const field = (low: number, high: number): fc.Arbitrary<string> => {
      const value = fc.integer({ min: low, max: high });
      return fc.oneof(
        fc.constant("*"),
        fc.integer({ min: 2, max: high - low }).map((step) => `*/${String(step)}`),
        fc.uniqueArray(value, { minLength: 1, maxLength: 3 }).map((values) => values.join(",")),
        fc.tuple(value, value).map(([a, b]) => `${String(Math.min(a, b))}-${String(Math.max(a, b))}`),
      );
    };
    const expression = fc
      .tuple(field(0, 59), fc.oneof(field(0, 23), field(0, 4)), field(1, 31), field(1, 12), field(0, 6))
      .map((fields) => fields.join(" "))
      .filter((cron) => cronTimes(cron) !== undefined);
    fc.assert(
      fc.property(expression, fc.constantFrom(...changes), (cron, { zone, wall, change }) => {
        const span = [change - 26 * HOUR_MS, change + 26 * HOUR_MS] as const;
        expect(timesOf(calendar(cron, zone), ...span).map(iso)).toEqual(cronRuns(cron, wall, span).map(iso));
      }),
      { numRuns: 300 },
    );
  });
});

const iso = (ms: number): string => new Date(ms).toISOString().slice(0, 16);

describe("a fixed time", () => {
  test("that is left out comes right after the change, once", () => {
    expect(nextOf("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00Z", 2)).toEqual([
      "2026-03-29T01:00",
      "2026-03-30T00:30",
    ]);
    expect(nextOf("0,15,30 2 * * *", "Europe/Berlin", "2026-03-28T12:00Z", 2)).toEqual([
      "2026-03-29T01:00",
      "2026-03-30T00:00",
    ]);
  });

  test("that comes twice is taken at its first showing", () => {
    expect(nextOf("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00Z", 2)).toEqual([
      "2026-10-25T00:30",
      "2026-10-26T01:30",
    ]);
  });

  test("asked for in the middle of the second showing is the next day's", () => {
    expect(nextOf("30 2 * * *", "Europe/Berlin", "2026-10-25T01:10Z")).toEqual(["2026-10-26T01:30"]);
  });
});

test("a rhythm goes on through the hour that comes twice", () => {
  expect(nextOf("*/30 * * * *", "Europe/Berlin", "2026-10-24T23:59Z", 5)).toEqual([
    "2026-10-25T00:00",
    "2026-10-25T00:30",
    "2026-10-25T01:00",
    "2026-10-25T01:30",
    "2026-10-25T02:00",
  ]);
});

test("a step of more than three hours is a correction: what it leaves out is left out", () => {
  const startsMs = Date.UTC(2030, 0, 10, 12);
  const leaping = (hours: number): Zone => ({
    name: "test",
    offsetMs: (atMs) => (atMs < startsMs ? 0 : hours * HOUR_MS),
  });
  const first = (hours: number, cron: string): string =>
    iso(calendar(cron, leaping(hours)).next(startsMs - 10 * MINUTE_MS) ?? 0);
  expect(first(3, "0 13 * * *")).toBe("2030-01-10T12:00");
  expect(first(4, "0 13 * * *")).toBe("2030-01-11T09:00");
  expect(first(-3, "30 11 * * *")).toBe("2030-01-11T14:30");
  expect(first(-4, "30 11 * * *")).toBe("2030-01-10T15:30");
});

test("day and weekday are alternatives, unless one of them begins with a star", () => {
  expect(nextOf("0 0 13 * 5", "UTC", "2026-02-01T00:00Z", 3)).toEqual([
    "2026-02-06T00:00",
    "2026-02-13T00:00",
    "2026-02-20T00:00",
  ]);
  expect(nextOf("0 0 */2 * 1", "UTC", "2026-02-01T00:00Z", 2)).toEqual([
    "2026-02-09T00:00",
    "2026-02-23T00:00",
  ]);
});

test("rare days are found, also over the year 2100", () => {
  expect(nextOf("0 0 29 2 *", "UTC", "2096-03-01T00:00Z")).toEqual(["2104-02-29T00:00"]);
  // Both have to fit where one begins with a star: a Saturday or a Sunday.
  expect(nextOf("0 0 29 2 */6", "UTC", "2077-01-01T00:00Z", 2)).toEqual([
    "2088-02-29T00:00",
    "2116-02-29T00:00",
  ]);
});

test("the machine's zone is what Date says", () => {
  const zone = zoneOf(undefined);
  for (let ms = YEARS[0]; ms < YEARS[1]; ms += 7 * HOUR_MS) {
    const shown = new Date(ms);
    const asUtc = Date.UTC(
      shown.getFullYear(),
      shown.getMonth(),
      shown.getDate(),
      shown.getHours(),
      shown.getMinutes(),
    );
    expect(zone.offsetMs(ms)).toBe(asUtc - ms);
  }
});

describe("the last times of a span", () => {
  const everyMinute = calendar("* * * * *", "UTC");
  const end = Date.UTC(2026, 5, 15, 12);

  test("include its end and not its beginning", () => {
    expect(everyMinute.last(10, end - 2 * MINUTE_MS, end)).toEqual([end - MINUTE_MS, end]);
    expect(everyMinute.last(10, end, end)).toEqual([]);
    expect(everyMinute.last(10, end, end - HOUR_MS)).toEqual([]);
  });

  test("are found however long ago it began", () => {
    expect(everyMinute.last(1, 0, end + 30_000)).toEqual([end]);
    expect(everyMinute.last(100, 0, end)).toHaveLength(100);
    expect(calendar("0 0 29 2 *", "UTC").last(3, 0, end).map(iso)).toEqual([
      "2016-02-29T00:00",
      "2020-02-29T00:00",
      "2024-02-29T00:00",
    ]);
    expect(
      calendar("0 0 1 * *", "UTC")
        .last(2, end - 40 * DAY_MS, end)
        .map(iso),
    ).toEqual(["2026-06-01T00:00"]);
  });
});
