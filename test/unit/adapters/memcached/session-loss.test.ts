import { expect, test } from "vitest";
import { Session } from "../../../../src/adapters/memcached/session.ts";
import { unreachable } from "../../../../src/adapters/memcached/strangers.ts";
import type { Wire } from "../../../../src/adapters/memcached/wire.ts";
import type { Clock } from "../../../../src/ports/clock.ts";

// Passes as fast as it is waited for.
function hurried(): Clock {
  let nowMs = 0;
  return {
    now: () => nowMs,
    upMs: () => nowMs,
    until: (time) => {
      nowMs = Math.max(nowMs, time);
      return Promise.resolve();
    },
  };
}

const LOSS = unreachable("h:1", "it closed the connection");
const wire = (other: Partial<Wire>): Wire => ({
  server: "h:1",
  batch: (operations) => Promise.resolve(operations.map(() => ({ kind: "unknown" }) as const)),
  stats: () => Promise.reject(LOSS),
  close: () => undefined,
  ...other,
});

test("patience that is used up tells why the connection was lost", async () => {
  const session = new Session(wire({ loss: LOSS }), hurried());
  await expect(session.get("a")).rejects.toThrow("memcached at h:1: it closed the connection");
});

test("statistics that cannot be had tell why", async () => {
  const session = new Session(wire({}), hurried());
  await expect(session.stats()).rejects.toThrow("memcached at h:1: it closed the connection");
});

test("answers that stay away on a connection that holds are no answer", async () => {
  const session = new Session(wire({}), hurried());
  await expect(session.get("a")).rejects.toThrow("memcached at h:1 did not answer");
});
