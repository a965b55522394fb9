import { afterEach, expect, test, vi } from "vitest";
import { ticksOf } from "../../../src/cron/ticks.ts";

afterEach(() => {
  vi.unstubAllEnvs();
});

const nextOf = (every: Parameters<typeof ticksOf>[0], after: string): string =>
  new Date(ticksOf(every)(Date.parse(after))).toISOString();

test("a duration's ticks are its multiples on the clock on the wall", () => {
  vi.stubEnv("TZ", "Asia/Kolkata");
  expect(nextOf(600_000, "2026-01-01T08:01:00Z")).toBe("2026-01-01T08:10:00.000Z");
  expect(nextOf(600_000, "2026-01-01T08:10:00Z")).toBe("2026-01-01T08:20:00.000Z");
  expect(nextOf(3_600_000, "2026-01-01T08:01:00Z")).toBe("2026-01-01T08:30:00.000Z");
});

test("a cron expression's ticks are read in the machine's time zone", () => {
  vi.stubEnv("TZ", "Europe/Berlin");
  expect(nextOf("*/10 * * * *", "2026-01-01T08:09:59.999Z")).toBe("2026-01-01T08:10:00.000Z");
  expect(nextOf("0 9 * * *", "2026-07-01T08:01:00Z")).toBe("2026-07-02T07:00:00.000Z");
});

test("of several lines any tick counts", () => {
  vi.stubEnv("TZ", "UTC");
  const lines = ["0 * * * *", "30 9 * * *"];
  expect(nextOf(lines, "2026-01-01T08:01:00Z")).toBe("2026-01-01T09:00:00.000Z");
  expect(nextOf(lines, "2026-01-01T09:00:00Z")).toBe("2026-01-01T09:30:00.000Z");
});
