/** How soon a task that is published runs on a worker that waits. @param {{ each: number, rounds: number }} sizes @returns {import("../trial.mjs").Trial} */
export const latency = ({ each, rounds }) => {
  const count = Math.min(each, MOST);
  return {
    name: "latency",
    about: `${String(count)} tasks published now and then, to a worker in another process that has nothing to do`,
    rounds,
    rows: [
      { key: "half", title: "publish to handler, idle worker, p50", unit: "ms", better: "fall" },
      { key: "most", title: "publish to handler, idle worker, p99", unit: "ms", better: "fall" },
    ],
    measure: async (place) => {
      const sorted = (await place.latencies({ count })).toSorted((a, b) => a - b);
      return { half: at(sorted, 0.5), most: at(sorted, 0.99) };
    },
  };
};

const MOST = 200; // each takes the pause before it

/** @param {readonly number[]} sorted @param {number} share */
const at = (sorted, share) =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
