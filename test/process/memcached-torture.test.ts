import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { noMemcached, startMemcached, type MemcachedServer } from "../servers/memcached-server.ts";
import { TornQueue, writeFigures } from "../servers/torn-queue.ts";

// `npm run torture` asks for more; the usual run shows as much with less.
const TASKS = Number(process.env["MEMQ_TORTURE_TASKS"] ?? 4_000);
const BUNDLES = (process.env["MEMQ_TORTURE_BUNDLES"] ?? "1,16,64").split(",").map(Number);
const RUNS = 4;
const PUBLISHERS = 2;
const LEAST_KILLS = 12;
const MOST_KILLS = Number(process.env["MEMQ_TORTURE_KILLS"] ?? 50);

// What a kill may repeat: what was running, and what ended in the 5 ms before it. A process that waits for a
// processor acknowledges later than it wants to.
const GROUP_MS = 5;
const STARVED_MS = 500;
const MOST_REPEATS_OF_A_KILL = 100;

// What a publisher had stored when it was killed, and had not written down, is published again under other names.
const BATCH = 1_000;

describe.skipIf(noMemcached !== undefined)(
  `publishers and runs that are killed (${noMemcached ?? "memcached is there"})`,
  () => {
    let server: MemcachedServer;
    let torn: TornQueue | undefined;
    beforeEach(async () => {
      server = await startMemcached(["-m", "256", "-M"]);
    });
    afterEach(async () => {
      await torn?.end();
      await server.stop();
    });

    test.each(BUNDLES)(
      "with %d tasks in a record lose none, and repeat no more than was under way",
      { timeout: 150_000 + TASKS * 30 },
      async (bundle) => {
        const beganAt = Date.now();
        torn = new TornQueue(server, { tasks: TASKS, bundle, runs: RUNS, publishers: PUBLISHERS });
        await torn.tear({ untilRun: TASKS / 2, kills: MOST_KILLS / 2 });
        const midway = await torn.examine();
        expect(midway).toMatchObject({ faults: [], unrecorded: [], vanished: 0 });
        expect(midway.seen.records).toBeGreaterThan(0);

        await torn.tear({ untilRun: TASKS, kills: MOST_KILLS / 2 });
        await torn.finish();
        const { kills, publisherKills, lost, repeats, unexcused, widestMs } = torn.report();
        const after = await torn.examine();
        writeFigures(`kill -9, bundles of ${String(bundle)}`, {
          tasks: TASKS,
          lost: lost.length,
          kills,
          "of publishers": publisherKills,
          repeats,
          "ms at most before the kill": widestMs,
          "records left by killed publishers": after.orphans.length,
          "records seen midway": midway.seen.records,
          s: Math.round((Date.now() - beganAt) / 1_000),
        });

        expect(lost).toEqual([]);
        expect(unexcused).toEqual([]);
        expect(kills).toBeGreaterThanOrEqual(LEAST_KILLS);
        expect(widestMs).toBeLessThanOrEqual(GROUP_MS + STARVED_MS);
        expect(repeats).toBeLessThanOrEqual(kills * MOST_REPEATS_OF_A_KILL);
        expect(after).toMatchObject({ faults: [], unrecorded: [], vanished: 0, dead: [] });
        expect(after.control).toMatchObject({ stakes: [], lost: 0 });
        // Whatever is left is what a killed publisher left: all names have run.
        expect(after.ready.toSorted()).toEqual(after.orphans.toSorted());
        expect(after.orphans.length).toBeLessThanOrEqual(publisherKills * BATCH);
      },
    );
  },
);
