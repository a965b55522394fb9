import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openMemcachedBroker } from "../../../../src/adapters/memcached/broker.ts";
import type { Wire } from "../../../../src/adapters/memcached/wire.ts";
import type { Broker } from "../../../../src/ports/broker.ts";
import { plainCodec } from "../../../../src/task/codec.ts";
import { FakeMemcached } from "../../../servers/fake-memcached.ts";

test("a claim for which only the reserve has room is given out, in a few round trips", async () => {
  const memory = mkdtempSync(join(tmpdir(), "memq-full-"));
  const server = new FakeMemcached(Date.now);
  const openOn = (wire: Wire): Broker =>
    openMemcachedBroker({ wire, queue: "q", codec: plainCodec(900_000), memory });
  try {
    await openOn(server.wire()).publish([{ method: "m", args: [1] }]);
    server.limitBytes = server.bytes;
    let trips = 0;
    const wire = server.wire();
    const counted: Wire = {
      ...wire,
      batch: (operations) => {
        trips++;
        return wire.batch(operations);
      },
    };
    const { claims } = await openOn(counted).claim({ limit: 1, atOnce: 1 });
    expect(claims).toHaveLength(1);
    expect(trips).toBeLessThan(20);
  } finally {
    rmSync(memory, { recursive: true, force: true });
  }
});
