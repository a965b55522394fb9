import { expect, test } from "vitest";
import { MemqError } from "../../../src/errors.ts";
import type { Broker, Claim } from "../../../src/ports/broker.ts";
import { altered, drainWith, ground, numbered, publish, type Ground } from "./ground.ts";

/** The ground's queue, as a broker from which claims can be had ahead; `ahead`: how many each of them brought. */
function farAway(place: Ground): {
  readonly place: Ground;
  readonly ahead: number[];
  readonly most: () => number;
} {
  const broker = place.queue.open();
  const ahead: number[] = [];
  let held = 0;
  let most = 0;
  const take = (claims: readonly Claim[]): readonly Claim[] => {
    held += claims.length;
    most = Math.max(most, held);
    return claims;
  };
  const far: Broker = altered(broker, {
    claim: async (request) => {
      const claimed = await broker.claim(request);
      take(claimed.claims);
      return claimed;
    },
    claimAhead: async (request) => {
      const { claims, findings } = await broker.claim(request);
      ahead.push(claims.length);
      return { claims: take(claims), findings };
    },
    settle: (settlements) => {
      held -= settlements.length;
      return broker.settle(settlements);
    },
    release: (claims) => {
      held -= claims.length;
      return broker.release(claims);
    },
  });
  return { place: { ...place, broker: far }, ahead, most: () => most };
}

class Worker {
  static readonly seen: number[] = [];
  work(index: number): void {
    Worker.seen.push(index);
  }
  async slow(index: number): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, 5));
    Worker.seen.push(index);
  }
}

const seenBy = async (run: Promise<unknown>): Promise<number[]> => {
  Worker.seen.length = 0;
  await run;
  return [...Worker.seen];
};

test("of fast tasks the next ones are claimed while those in hand run, and all run in their order", async () => {
  const { place, ahead } = farAway(ground());
  for (let part = 0; part < 4; part++) await publish(place.broker, ...numbered("work", 1_000));
  const seen = await seenBy(drainWith(place, { Worker }));
  expect(seen).toEqual([0, 1, 2, 3].flatMap(() => [...Array(1_000).keys()]));
  expect(ahead.filter((count) => count > 0).length).toBeGreaterThan(2);
  expect(await place.broker.depth()).toMatchObject({ waiting: 0, running: 0 });
});

test("of slow tasks nothing is claimed ahead", async () => {
  const { place, ahead } = farAway(ground());
  await publish(place.broker, ...numbered("slow", 40));
  expect(await seenBy(drainWith(place, { Worker }))).toHaveLength(40);
  expect(ahead.reduce((sum, count) => sum + count, 0)).toBeLessThanOrEqual(20);
});

test("what was claimed ahead of a run's end is handed back, and never more is claimed than may be run", async () => {
  const { place, most } = farAway(ground());
  for (let part = 0; part < 3; part++) await publish(place.broker, ...numbered("work", 1_000));
  const seen = await seenBy(drainWith(place, { Worker }, { limits: { maxTasks: 1_234 } }));
  expect(seen).toHaveLength(1_234);
  expect(await place.broker.depth()).toMatchObject({ waiting: 1_766, running: 0 });
  expect(most()).toBeLessThanOrEqual(1_234);
});

test("a run that is stopped hands back what was claimed ahead", async () => {
  const stop = new AbortController();
  const { place, ahead } = farAway(ground());
  for (let part = 0; part < 3; part++) await publish(place.broker, ...numbered("work", 1_000));
  class Stopping {
    static ran = 0;
    work(): void {
      if (++Stopping.ran === 700) stop.abort();
    }
  }
  expect(await drainWith(place, { Stopping }, { stop: stop.signal })).toBe("stopped");
  expect(ahead.length).toBeGreaterThan(0);
  expect(await place.broker.depth()).toMatchObject({ waiting: 3_000 - Stopping.ran, running: 0 });
});

test("what was met while claiming ahead is told, though the run claims no more", async () => {
  const { place } = farAway(ground());
  await publish(place.broker, ...numbered("work", 1_000));
  const broker = altered(place.broker, {
    claimAhead: () => Promise.resolve({ claims: [], findings: [{ kind: "missing", count: 3 }] }),
  });
  await drainWith({ ...place, broker }, { Worker }, { limits: { maxTasks: 20 } });
  expect(place.events.filter(({ kind }) => kind === "finding")[0]).toMatchObject({
    finding: { kind: "missing", count: 3 },
  });
});

test("a claim ahead that fails ends the run with what made it fail, and what was done is settled", async () => {
  const { place } = farAway(ground());
  await publish(place.broker, ...numbered("work", 1_000));
  const away = new MemqError("BROKER_UNREACHABLE", "away");
  const broker = altered(place.broker, { claimAhead: () => Promise.reject(away) });
  const seen = await seenBy(
    expect(drainWith({ ...place, broker }, { Worker })).rejects.toMatchObject({ code: "BROKER_UNREACHABLE" }),
  );
  expect(await place.broker.depth()).toMatchObject({ waiting: 1_000 - seen.length, running: 0 });
});
