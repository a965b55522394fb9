import { expect, test } from "vitest";
import { Dice } from "./memcached-world.ts";
import { Tale } from "./memcached-tale.ts";
import type { Plot } from "./memcached-tale.ts";

const TALES = Number(process.env["MEMQ_TALES"] ?? 10_000);
const FIRST_SEED = Number(process.env["MEMQ_SEED"] ?? 1);

function plotOf(seed: number): Plot {
  const dice = new Dice(seed + 77_777);
  const faulty = dice.chance(80);
  return {
    seed,
    publishers: 1 + dice.roll(2),
    runners: 1 + dice.roll(3),
    batches: 1 + dice.roll(2),
    most: 1 + dice.roll(4),
    bundle: dice.pick([1, 1, 1, 3]),
    canDelay: dice.chance(40),
    canKey: dice.chance(20),
    canFail: dice.chance(40),
    hasPoison: dice.chance(20),
    hasAdmin: dice.chance(20),
    isFast: dice.chance(50),
    faults: {
      crashes: faulty ? dice.roll(3) : 0,
      lapses: faulty ? dice.roll(3) : 0,
      unknowns: faulty ? dice.roll(3) : 0,
      flushes: faulty && dice.chance(10) ? 1 : 0,
    },
  };
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
