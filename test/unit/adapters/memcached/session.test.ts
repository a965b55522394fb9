import { beforeEach, expect, test } from "vitest";
import { Session } from "../../../../src/adapters/memcached/session.ts";
import type { Wire } from "../../../../src/adapters/memcached/wire.ts";
import { MemqError } from "../../../../src/errors.ts";

const CONNECT_MS = 3_000;

let now: number;
let setBackMs: number;
let isAway: boolean;
beforeEach(() => {
  now = Date.UTC(2026, 0, 1);
  setBackMs = 0;
  isAway = false;
});

const clock = {
  now: () => now - setBackMs,
  upMs: () => now,
  until: (atMs: number): Promise<void> => {
    now = Math.max(now, atMs + setBackMs);
    return Promise.resolve();
  },
};

const wire: Wire = {
  server: "away:11211",
  batch: (operations) => {
    if (!isAway) return Promise.resolve(operations.map(() => ({ kind: "missing" })));
    now += CONNECT_MS;
    return Promise.reject(new MemqError("BROKER_UNREACHABLE", "no connection"));
  },
  stats: () => Promise.resolve(new Map()),
  close: () => undefined,
};

const get = [{ kind: "get", key: "a" }] as const;

/** How long it takes until it is given up. */
async function givesUpAfterMs(session: Session): Promise<number> {
  const beganAt = now;
  await expect(session.ask(get)).rejects.toMatchObject({ code: "BROKER_UNREACHABLE" });
  return now - beganAt;
}

test("a server that was there is waited for once, not by everything that is still to be done", async () => {
  const session = new Session(wire, clock);
  await session.ask(get);
  isAway = true;
  expect(await givesUpAfterMs(session)).toBeGreaterThanOrEqual(10_000);
  expect(await givesUpAfterMs(session)).toBeLessThanOrEqual(CONNECT_MS + 1_000);
});

test("a server that is back is waited for again", async () => {
  const session = new Session(wire, clock);
  await session.ask(get);
  isAway = true;
  await givesUpAfterMs(session);
  isAway = false;
  await session.ask(get);
  isAway = true;
  expect(await givesUpAfterMs(session)).toBeGreaterThanOrEqual(10_000);
});

test("a clock that is set back while a server is waited for makes nobody wait longer", async () => {
  const session = new Session(wire, clock);
  await session.ask(get);
  isAway = true;
  const given = givesUpAfterMs(session);
  setBackMs = 3_600_000;
  expect(await given).toBeLessThan(15_000);
});

test("a process that holds tasks waits for as long as their lease lasts, and once", async () => {
  const session = new Session(wire, clock);
  await session.ask(get);
  session.tasksAreHeld();
  isAway = true;
  const waitedMs = await givesUpAfterMs(session);
  expect(waitedMs).toBeGreaterThanOrEqual(30_000);
  expect(waitedMs).toBeLessThan(35_000);
  expect(await givesUpAfterMs(session)).toBeLessThanOrEqual(CONNECT_MS + 1_000);
});
