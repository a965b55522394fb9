import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { openMemcachedBroker } from "../../../../src/adapters/memcached/broker.ts";
import { sizeFor } from "../../../../src/adapters/memcached/bundle-size.ts";
import type { Answer, Operation, Wire } from "../../../../src/adapters/memcached/wire.ts";
import { MemqError } from "../../../../src/errors.ts";
import type { Broker } from "../../../../src/ports/broker.ts";
import { drain, named, series, testCodec } from "../../../contract/facts/ground.ts";
import { FakeMemcached } from "../../../servers/fake-memcached.ts";

const memory = mkdtempSync(join(tmpdir(), "memq-bulk-"));
afterAll(() => {
  rmSync(memory, { recursive: true });
});

/** Lets so many operations through; then its process is dead, in the middle of a batch. */
class DyingWire implements Wire {
  readonly server = "dying";
  readonly #wire: Wire;
  #left: number;

  constructor(wire: Wire, operations: number) {
    this.#wire = wire;
    this.#left = operations;
  }

  get isDead(): boolean {
    return this.#left < 0;
  }

  async batch(operations: readonly Operation[]): Promise<readonly Answer[]> {
    const sent = operations.slice(0, Math.max(0, this.#left));
    this.#left -= operations.length;
    const answers = sent.length > 0 ? await this.#wire.batch(sent) : [];
    if (this.isDead) throw new MemqError("BUG", "the process died");
    return answers;
  }

  stats(group: Parameters<Wire["stats"]>[0]): ReturnType<Wire["stats"]> {
    return this.#wire.stats(group);
  }

  close(): void {
    this.#wire.close();
  }
}

const PARTS = 3;

interface Scene {
  readonly server: FakeMemcached;
  readonly bundle: number;
}

const openBroker = ({ server, bundle }: Scene, wrap = (wire: Wire): Wire => wire): Broker =>
  openMemcachedBroker({ wire: wrap(server.wire()), queue: "q", codec: testCodec, memory, bundle });

/** Publishes what is missing of the bulk, as a publisher does that goes on. */
async function publishRest(broker: Broker): Promise<void> {
  const state = await broker.bulks.resume("b");
  let expected = state?.version;
  for (let part = Number(state?.place ?? 0); part < PARTS; part++) {
    const drafts = series(`p${String(part)}-`, 5).map((name) => named(name));
    const place = (): string => String(part + 1);
    expected = (await broker.bulks.publish(drafts, { name: "b", expected, place })).version;
  }
}

const recordsOn = ({ items }: FakeMemcached): readonly string[] =>
  [...items.keys()].filter((key) => /^mq:q:[^:]+:b/.test(key));

const whole = Array.from({ length: PARTS }, (_, part) => series(`p${String(part)}-`, 5)).flat();

/** How many operations it takes to publish all of it undisturbed. */
async function operations(bundle: number): Promise<number> {
  let count = 0;
  const counting = (wire: Wire): Wire => ({
    server: wire.server,
    batch: (some) => {
      count += some.length;
      return wire.batch(some);
    },
    stats: (group) => wire.stats(group),
    close: () => {
      wire.close();
    },
  });
  await publishRest(openBroker({ server: new FakeMemcached(() => Date.now()), bundle }, counting));
  return count;
}

describe.each([1, 3])("a bulk in records of %i", (bundle) => {
  test.each([false, true])(
    "whose publisher dies at any operation is published exactly once (drained meanwhile: %s)",
    async (isDrained) => {
      const most = await operations(bundle);
      let deaths = 0;
      for (let at = 0; at < most; at++) {
        const scene = { server: new FakeMemcached(() => Date.now()), bundle };
        const dying = openBroker(scene, (wire) => new DyingWire(wire, at));
        // A publisher that took longer looked at the block once more: the last of these may come through alive.
        await publishRest(dying).catch((error: unknown) => {
          expect(error).toMatchObject({ message: "the process died" });
          deaths += 1;
        });
        const next = openBroker(scene);
        const met = isDrained ? [...(await drain(next))] : [];
        const isKnown = (await next.bulks.count("b")) !== undefined;
        await publishRest(next);
        met.push(...(await drain(next)));
        expect(met.map(({ name }) => name).sort(), `it died after ${String(at)} operations`).toEqual(
          [...whole].sort(),
        );
        expect(await next.bulks.count("b")).toMatchObject({
          kept: whole.length,
          left: 0,
          done: whole.length,
        });
        if (isKnown) expect(recordsOn(scene.server), `it died after ${String(at)} operations`).toEqual([]);
        await next.close();
      }
      expect(deaths).toBeGreaterThan(20);
    },
  );
});

test("slow tasks are kept one by one, fast ones by the dozen", () => {
  expect([undefined, 1_000, 50, 10, 1, 0.01, 0].map(sizeFor)).toEqual([1, 1, 1, 5, 50, 64, 64]);
});
