import { median } from "../median.mjs";

const FEW = 1_000;
const MIB = 1_048_576;

/** @typedef {import("../place.mjs").Place} Place */
/** @typedef {{ each: number, many: number, repeats: number }} Sizes */

/**
 * A bulk as large as the article's, what it costs to work beside it, and its drain. The peers only publish it, and
 * their own count of what waits is believed: their drains of a million would take most of the benchmark's time.
 * @param {Sizes} sizes
 * @returns {import("../trial.mjs").Trial}
 */
export const million = (sizes) => {
  const { each, many } = sizes;
  const size = many.toLocaleString("en");
  const times = `with ${size} waiting, times that with ${FEW.toLocaleString("en")}`;
  return {
    name: "million",
    about: `bulk publish of ${size}, and memq's work while they wait`,
    rounds: 1,
    rows: [
      { key: "bulk", title: `bulk publish of ${size}`, unit: "ms", better: "fall" },
      { key: "bytes", title: "bytes per queued task", unit: "B", better: "fall" },
      { key: "publish", title: `${each.toLocaleString("en")} publishes ${times}`, unit: "x", better: "fall" },
      {
        key: "claim",
        title: `a run of ${each.toLocaleString("en")} tasks ${times}`,
        unit: "x",
        better: "fall",
      },
      { key: "status", title: `\`memq status\` ${times}`, unit: "x", better: "fall" },
      { key: "drain", title: `drain of ${size}, 1 process`, unit: "tasks/s", better: "rise" },
      { key: "peak", title: `peak memory of that drain`, unit: "MB", better: "fall" },
      { key: "store", title: "what the store occupies after it", unit: "MB", better: "fall" },
    ],
    measure: (place) => (place.contender.isOurs ? measured(place, sizes) : counted(place, many)),
    floors: async (ground) => ({
      file: { bulk: await ground.floor("append-all", many) },
      socket: { bulk: await ground.floor("send-all", many) },
    }),
  };
};

/** @param {Place} place @param {Sizes} sizes */
async function measured(place, { each, many, repeats }) {
  await place.publishAll({ count: FEW });
  const few = await work(place, each, repeats);
  await place.drain();
  place.assertAllArrived();

  const before = await place.bytes();
  const bulk = await place.publishAll({ count: many });
  const bytes = ((await place.bytes()) - before) / many;
  const among = await work(place, each, repeats);
  const { ms, peakMb, count } = await place.drain();
  place.assertAllArrived();
  return {
    bulk,
    bytes,
    publish: among.publish / few.publish,
    claim: among.claim / few.claim,
    status: among.status / few.status,
    drain: (count / ms) * 1_000,
    peak: peakMb,
    store: (await place.bytes()) / MIB,
  };
}

/** @param {Place} place @param {number} many */
async function counted(place, many) {
  const before = await place.bytes();
  const bulk = await place.publishAll({ count: many });
  const bytes = ((await place.bytes()) - before) / many;
  const waiting = await place.waiting();
  if (waiting !== many) throw new Error(`it counts ${String(waiting)} of ${String(many)} tasks`);
  return { bulk, bytes };
}

/** As many tasks wait afterwards as before. @param {Place} place @param {number} each @param {number} repeats the median counts */
async function work(place, each, repeats) {
  /** @type {{ publish: number, claim: number, status: number }[]} */
  const found = [];
  for (let time = 0; time < repeats; time++) {
    found.push({
      publish: await place.publishEach({ count: each }),
      claim: (await place.drain({ limit: each })).ms,
      status: await place.statusCommand(),
    });
  }
  return {
    publish: median(found.map(({ publish }) => publish)),
    claim: median(found.map(({ claim }) => claim)),
    status: median(found.map(({ status }) => status)),
  };
}
