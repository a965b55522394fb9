import { expect, test } from "vitest";
import { Dice } from "./memcached-world.ts";
import { Tale } from "./memcached-tale.ts";
import type { Plot } from "./memcached-tale.ts";

const TALES = Number(process.env["MEMQ_TALES"] ?? 10_000);
const FIRST_SEED = Number(process.env["MEMQ_SEED"] ?? 1);

/** A bit of everything. */
function anyPlot(seed: number, dice: Dice): Plot {
  const isFaulty = dice.chance(80);
  return {
    seed,
    publishers: 1 + dice.roll(2),
    runners: 1 + dice.roll(3),
    batches: 1 + dice.roll(2),
    most: 1 + dice.roll(4),
    bundle: dice.pick([1, 1, 3]),
    listBytes: dice.pick([10, 30, 2_048]),
    bucketBytes: dice.pick([10, 60, 16_384]),
    canDelay: dice.chance(40),
    canKey: dice.chance(20),
    failing: dice.pick([0, 25, 50]),
    hasPoison: dice.chance(25),
    acts: dice.pick([[], [], [], ["cancel", "find", "depth", "putBack", "list"], ["find", "purge"]]),
    isFast: dice.chance(50),
    mischief: dice.pick([2, 4, 8]),
    faults: {
      crashes: isFaulty ? dice.roll(3) : 0,
      lapses: isFaulty ? dice.roll(3) : 0,
      unknowns: isFaulty ? dice.roll(3) : 0,
      flushes: isFaulty && dice.chance(10) ? 1 : 0,
      evictions: isFaulty && dice.chance(10) ? 1 : 0,
      fulls: isFaulty && dice.chance(20) ? dice.roll(4) : 0,
    },
  };
}

/** One publisher and nothing special: what a theme starts from. */
const plain = (seed: number, dice: Dice): Plot => ({
  ...anyPlot(seed, dice),
  publishers: 1,
  runners: 2,
  batches: 1,
  most: 4,
  bundle: 1,
  canDelay: false,
  canKey: false,
  failing: 0,
  hasPoison: false,
  acts: [],
  isFast: false,
  mischief: 10,
  faults: { crashes: 2, lapses: 0, unknowns: 0, flushes: 0, evictions: 0, fulls: 0 },
});

/** What goes wrong seldom needs a stage of its own to go wrong often. */
const THEMES: readonly ((seed: number, dice: Dice) => Plot)[] = [
  anyPlot,
  anyPlot,
  (seed, dice) => ({ ...plain(seed, dice), bundle: 3, failing: 60, canDelay: dice.chance(20) }),
  (seed, dice) => ({
    ...plain(seed, dice),
    batches: 3,
    isFast: true,
    hasPoison: dice.chance(50),
    bundle: dice.pick([1, 3]),
  }),
  (seed, dice) => ({ ...plain(seed, dice), failing: 100, acts: ["putBack"], mischief: 6 }),
  (seed, dice) => ({
    ...plain(seed, dice),
    batches: 3,
    acts: ["cancel"],
    isFast: dice.chance(70),
    bundle: dice.pick([1, 3]),
  }),
  (seed, dice) => ({
    ...plain(seed, dice),
    batches: 4,
    canDelay: true,
    listBytes: dice.pick([4, 10]),
    bucketBytes: dice.pick([10, 40]),
    acts: ["purge", "find"],
    faults: { crashes: 2, lapses: 1, unknowns: 1, flushes: 0, evictions: 0, fulls: 0 },
  }),
  (seed, dice) => ({
    ...plain(seed, dice),
    batches: 3,
    failing: 60,
    bundle: dice.pick([1, 3]),
    isFast: dice.chance(50),
    faults: { crashes: 1, lapses: 1, unknowns: 1, flushes: 0, evictions: 0, fulls: 5 },
  }),
  (seed, dice) => ({
    ...plain(seed, dice),
    batches: 3,
    failing: 30,
    bundle: 3,
    isFast: dice.chance(50),
    mischief: 12,
    acts: ["cancel"],
    faults: { crashes: 0, lapses: 0, unknowns: 0, flushes: 0, evictions: 0, fulls: 9 },
  }),
  (seed, dice) => ({
    ...plain(seed, dice),
    publishers: 2,
    batches: 2,
    canDelay: true,
    bucketBytes: dice.pick([10, 40]),
    failing: dice.pick([0, 40]),
    faults: { crashes: 1, lapses: 1, unknowns: 2, flushes: 0, evictions: 0, fulls: 0 },
  }),
  (seed, dice) => ({
    ...plain(seed, dice),
    bundle: dice.pick([1, 3]),
    hasPoison: true,
    faults: { crashes: 1, lapses: 2, unknowns: 1, flushes: 0, evictions: 0, fulls: 0 },
  }),
  (seed, dice) => ({
    ...plain(seed, dice),
    publishers: 2,
    runners: 1,
    batches: 4,
    most: 2,
    canDelay: dice.chance(40),
    canKey: true,
    mischief: 15,
    faults: { crashes: 0, lapses: 0, unknowns: 0, flushes: 0, evictions: 0, fulls: 9 },
  }),
];

function plotOf(seed: number): Plot {
  const dice = new Dice(seed + 77_777);
  const theme = THEMES[seed % THEMES.length] ?? anyPlot;
  return theme(seed, dice);
}

test(
  "whatever order things happen in and whatever goes wrong, kept tasks run or become dead letters",
  { timeout: 600_000 },
  async () => {
    const seen: Record<string, number> = {};
    for (let seed = FIRST_SEED; seed < FIRST_SEED + TALES; seed++) {
      const tale = new Tale(plotOf(seed));
      const faults = await tale.play();
      for (const [what, count] of Object.entries(tale.seen)) seen[what] = (seen[what] ?? 0) + count;
      if (faults.length === 0) continue;
      const again = new Tale({ ...plotOf(seed), isTraced: true });
      await again.play();
      expect.fail(
        [
          `seed ${String(seed)}: ${faults.join("; ")}`,
          JSON.stringify(plotOf(seed)),
          ...again.world.trace,
        ].join("\n"),
      );
    }
    if (process.env["MEMQ_TALES"] !== undefined) console.log(JSON.stringify(seen));
  },
);

test("a delayed task of a key that cannot be taken back on a full server is run all the same", async () => {
  expect(await new Tale(plotOf(704_387)).play()).toEqual([]);
});
