import { expect, test } from "vitest";
import { lookOut } from "../../../src/host/lookout.ts";
import { systemClock } from "../../../src/ports/clock.ts";

const busyFor = (ms: number): void => {
  const untilMs = performance.now() + ms;
  while (performance.now() < untilMs);
};

const lookBusily = (): Promise<string> => {
  busyFor(2);
  return Promise.resolve("seen");
};

const seesNothing = (): Promise<string | undefined> => Promise.resolve(undefined);

test("who looks again at each answer leaves the process time for others", async () => {
  let others = 0;
  const counting = setInterval(() => others++, 1);
  const { signal } = new AbortController();
  for (let asked = 0; asked < 10; asked++) {
    const out = { bell: undefined, clock: systemClock, untilMs: systemClock.now() + 10_000, signal };
    await lookOut(lookBusily, { ...out, fastestMs: 50, slowestMs: 500 });
  }
  clearInterval(counting);
  expect(others).toBeGreaterThanOrEqual(5);
});

test("an answer to a quick look is not held up", async () => {
  const { signal } = new AbortController();
  const clock = {
    now: () => 0,
    upMs: () => 0,
    until: () => Promise.reject(new Error("nothing is waited for")),
  };
  const out = { bell: undefined, clock, untilMs: 1_000, signal, fastestMs: 50, slowestMs: 500 };
  expect(await lookOut(() => Promise.resolve("seen"), out)).toBe("seen");
});

test.each([3_600_000, -3_600_000])(
  "a clock that is set by %i ms meanwhile changes nothing of a wait",
  async (step) => {
    let upMs = 0;
    const clock = {
      now: () => upMs + (upMs > 300 ? step : 0),
      upMs: () => upMs,
      until: (atMs: number) => {
        upMs += Math.max(0, atMs - clock.now());
        return Promise.resolve();
      },
    };
    const { signal } = new AbortController();
    const out = { bell: undefined, clock, untilMs: 4_000, signal, fastestMs: 50, slowestMs: 500 };
    expect(await lookOut(seesNothing, out)).toBeUndefined();
    expect(upMs).toBe(4_000);
  },
);
