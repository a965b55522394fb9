/** A bulk, worked off by one process, and again by two. @param {{ drain: number, rounds: number }} sizes @returns {import("../trial.mjs").Trial} */
export const drain = ({ drain: count, rounds }) => {
  const size = count.toLocaleString("en");
  const inSeconds = (/** @type {number} */ ms) => (count / ms) * 1_000;
  return {
    name: "drain",
    about: `bulk publish of ${size}, drained by one process and by two`,
    rounds,
    rows: [
      { key: "bulk", title: `bulk publish of ${size}`, unit: "ms", better: "fall" },
      { key: "one", title: `drain of ${size}, 1 process`, unit: "tasks/s", better: "rise" },
      { key: "two", title: `drain of ${size}, 2 processes`, unit: "tasks/s", better: "rise" },
      { key: "peak", title: `peak memory of a drain of ${size}`, unit: "MB", better: "fall" },
    ],
    measure: async (place) => {
      const bulk = await place.publishAll({ count });
      const one = await place.drain();
      place.assertAllArrived();
      const again = await place.publishAll({ count });
      const two = await place.drain({ processes: 2 });
      place.assertAllArrived();
      return { bulk: (bulk + again) / 2, one: inSeconds(one.ms), two: inSeconds(two.ms), peak: one.peakMb };
    },
    floors: async (ground) => ({
      file: { bulk: await ground.floor("append-all", count) },
      socket: { bulk: await ground.floor("send-all", count) },
    }),
  };
};
