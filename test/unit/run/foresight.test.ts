import { expect, test } from "vitest";
import { Foresight } from "../../../src/run/foresight.ts";

test("the cadence is found out once, when it is asked for", async () => {
  let loads = 0;
  const foresight = new Foresight(() => {
    loads++;
    return Promise.resolve((afterMs: number) => afterMs + 10);
  });
  expect(loads).toBe(0);
  expect(await Promise.all([foresight.nextTick(1), foresight.nextTick(2)])).toEqual([11, 12]);
  expect([loads, foresight.faults()]).toEqual([1, []]);
});

test("a cadence that nobody knows leaves nothing to wait for, and is told", async () => {
  const foresight = new Foresight(() => Promise.resolve(undefined));
  expect(foresight.faults()).toEqual([]);
  expect(await foresight.nextTick(1_000)).toBe(1_000);
  expect(foresight.faults()).toEqual([expect.stringContaining("set every, e.g. every = 10m")]);
});
