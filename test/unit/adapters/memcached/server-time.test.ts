import fc from "fast-check";
import { beforeEach, describe, expect, test } from "vitest";
import { ServerTime } from "../../../../src/adapters/memcached/server-time.ts";
import { Session } from "../../../../src/adapters/memcached/session.ts";
import type { Wire } from "../../../../src/adapters/memcached/wire.ts";

const BEGAN = Date.UTC(2026, 0, 1);

let upMs: number;
/** How far this host's clock is ahead. */
let aheadMs: number;
/** What the server's count of seconds is behind its time, in ms: its timer's phase, and what passed since it fired. */
let behindMs: number;
let asked: number;
beforeEach(() => {
  upMs = 5_000;
  aheadMs = 0;
  behindMs = 0;
  asked = 0;
});

const clock = { now: () => BEGAN + upMs + aheadMs, upMs: () => upMs, until: () => Promise.resolve() };

const wire: Wire = {
  server: "server:11211",
  batch: (operations) => Promise.resolve(operations.map(() => ({ kind: "missing" }))),
  stats: () => {
    asked += 1;
    return Promise.resolve(new Map([["time", String((BEGAN + upMs - behindMs) / 1_000)]]));
  },
  close: () => undefined,
};

const open = (): ServerTime => new ServerTime(new Session(wire, clock), clock);

async function measured(behind: number): Promise<ServerTime> {
  behindMs = behind;
  const time = open();
  await time.known();
  return time;
}

describe("the server's time, told by a host's clock", () => {
  test("is not told by a clock that was set a little since it was measured", async () => {
    const time = await measured(0);
    const before = time.now();
    upMs += 1_000;
    aheadMs = 300_000;
    await time.known();
    expect(time.now()).toBeLessThanOrEqual(before + 1);
    aheadMs = -300_000;
    await time.known();
    expect(time.now()).toBeLessThanOrEqual(before + 1);
  });

  test("is asked for no more often than every ten minutes while the clock runs on", async () => {
    const time = await measured(0);
    for (let minute = 0; minute < 9; minute++) {
      upMs += 60_000;
      await time.known();
    }
    expect(asked).toBe(1);
    upMs += 60_000;
    await time.known();
    expect(asked).toBe(2);
  });

  test("is this host's where the two agree, wherever in its second the server's timer is", async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: -900, max: 2_900 }), async (behind) => {
        const time = await measured(behind);
        expect(time.now()).toBe(Math.floor(clock.now() / 1_000));
        expect(time.notBefore(clock.now())).toBe(Math.ceil(clock.now() / 1_000));
      }),
    );
  });

  test("releases nothing early, whenever it was asked for, and however far the clocks are apart", async () => {
    const phase = fc.integer({ min: 0, max: 1_999 });
    const apart = fc.oneof(fc.integer({ min: -6_000, max: 6_000 }), fc.integer({ min: -1e7, max: 1e7 }));
    await fc.assert(
      fc.asyncProperty(phase, phase, apart, async (published, claimed, hostAheadMs) => {
        aheadMs = hostAheadMs;
        const publisher = await measured(published);
        const claimer = await measured(claimed);
        const dueAt = clock.now() + 20_000;
        const due = publisher.notBefore(dueAt);
        expect(claimer.local(due)).toBeGreaterThanOrEqual(dueAt);
      }),
      { numRuns: 2_000 },
    );
  });
});
