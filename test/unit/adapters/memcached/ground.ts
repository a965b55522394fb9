import { tmpdir } from "node:os";
import { openMemcachedBroker } from "../../../../src/adapters/memcached/broker.ts";
import type { Broker } from "../../../../src/ports/broker.ts";
import type { Clock } from "../../../../src/ports/clock.ts";
import { plainCodec } from "../../../../src/task/codec.ts";

/** Nobody knows that process here: only its lease tells whether it lives. */
export const ELSEWHERE = { host: "elsewhere", realm: "", pid: 1, startedAt: "1" };

/** Stands still until a test moves it; whoever waits is called again at once. */
const clockAt = (now: () => number): Clock => ({
  now,
  upMs: now,
  until: () =>
    new Promise((resolve) => {
      setImmediate(resolve);
    }),
});

type Opened = Parameters<typeof openMemcachedBroker>[0];

/** An owner of the queue "q" at a time that only the test moves; a task in a record, where nothing else is wished. */
export const ownerAt = (
  now: () => number,
  wishes: Pick<Opened, "wire"> & Partial<Pick<Opened, "bundle" | "limits" | "holder">>,
): Broker =>
  openMemcachedBroker({
    queue: "q",
    codec: plainCodec(10_000),
    memory: tmpdir(),
    clock: clockAt(now),
    elapsedMs: now,
    bundle: 1,
    ...wishes,
  });
