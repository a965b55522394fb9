import { afterEach, expect, test, vi } from "vitest";
import { systemClock } from "../../../src/ports/clock.ts";

const HOUR_MS = 3_600_000;

afterEach(() => {
  vi.restoreAllMocks();
});

test("a wait takes no longer than it was to take when the time is set back meanwhile", async () => {
  const now = Date.now;
  const begunAt = performance.now();
  const waited = systemClock.until(Date.now() + 50);
  vi.spyOn(Date, "now").mockImplementation(() => now() - 2 * HOUR_MS);
  await waited;
  expect(performance.now() - begunAt).toBeLessThan(HOUR_MS);
});
