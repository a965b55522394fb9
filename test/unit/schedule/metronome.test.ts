import { describe, expect, test } from "vitest";
import { Metronome } from "../../../src/schedule/metronome.ts";
import { calendarOf } from "../../../src/schedule/schedule.ts";
import { zoneOf } from "../../../src/schedule/zone.ts";
import { clockTimes } from "./ground.ts";

const MINUTE_MS = 60_000;
const at = (hour: number, minute: number, second = 0): number => Date.UTC(2026, 0, 1, hour, minute, second);
const metronome = (cron: string, startMs: number, zone = "UTC"): Metronome =>
  new Metronome(calendarOf(cron, zoneOf(zone)), startMs);

/** What is due when it is asked at these moments. */
const dueAt = (one: Metronome, moments: readonly number[]): string[] =>
  clockTimes(moments.map((ms) => one.due(ms)).filter((ms) => ms !== undefined));

const everyMinute = (fromMs: number, minutes: number): number[] =>
  Array.from({ length: minutes }, (_, nth) => fromMs + nth * MINUTE_MS);

describe("a metronome", () => {
  test("is due once for each of its times, however often it is asked", () => {
    const one = metronome("*/10 * * * *", at(8, 0, 30));
    expect(dueAt(one, [at(8, 0, 30), at(8, 9, 59)])).toEqual([]);
    expect(dueAt(one, [at(8, 10), at(8, 10), at(8, 10, 45), at(8, 11)])).toEqual(["08:10"]);
    expect(dueAt(one, everyMinute(at(8, 12), 30))).toEqual(["08:20", "08:30", "08:40"]);
  });

  test("that starts in the minute of a time leaves that time to whoever was there before", () => {
    expect(dueAt(metronome("* * * * *", at(8, 0, 1)), [at(8, 0, 2), at(8, 1)])).toEqual(["08:01"]);
  });

  test("is due once after a rest", () => {
    const one = metronome("*/10 * * * *", at(8, 0));
    expect(dueAt(one, [at(13, 7), at(13, 8), at(13, 10)])).toEqual(["13:00", "13:10"]);
  });

  test("loses and doubles nothing when the clock is set back by seconds or minutes", () => {
    const one = metronome("*/5 * * * *", at(8, 0));
    expect(dueAt(one, [at(8, 5), at(8, 4, 30), at(8, 5), at(8, 1), at(8, 5, 59), at(8, 10)])).toEqual([
      "08:05",
      "08:10",
    ]);
  });

  test("keeps its rhythm when the clock is set back by hours, and does a fixed time once", () => {
    const rhythm = metronome("*/30 * * * *", at(10, 0));
    expect(dueAt(rhythm, [at(10, 30), ...everyMinute(at(8, 31), 60)])).toEqual(["10:30", "09:00", "09:30"]);
    const fixed = metronome("30 10 * * *", at(10, 0));
    expect(dueAt(fixed, [at(10, 30), ...everyMinute(at(8, 31), 180)])).toEqual(["10:30"]);
  });

  test("goes on at once when the clock is set forward", () => {
    const one = metronome("*/10 * * * *", at(8, 0));
    expect(dueAt(one, [at(8, 10), at(10, 12), at(10, 13), at(10, 20)])).toEqual(["08:10", "10:10", "10:20"]);
  });

  test("ticks through both nights of a clock change as cron does", () => {
    const autumn = Date.UTC(2026, 9, 24, 23, 55);
    const one = metronome("*/10 * * * *", autumn, "Europe/Berlin");
    expect(dueAt(one, everyMinute(autumn, 180))).toHaveLength(18);
    const spring = Date.UTC(2026, 2, 28, 23, 55);
    const fixed = metronome("30 2 * * *", spring, "Europe/Berlin");
    expect(dueAt(fixed, everyMinute(spring, 180))).toEqual(["01:00"]);
  });
});
