// The rows of the table: each gives, for a place, figures and what they are held against.
import { command, emptyScript, measured, redelivery } from "./place.mjs";

/** @typedef {import("./place.mjs").Place} Place */
/**
 * @typedef {object} Row
 * @property {string} name
 * @property {string} unit
 * @property {"fall" | "rise"} better
 * @property {number} rounds
 * @property {(place: Place) => Promise<number>} measure
 * @property {(place: Place) => Promise<number>} [floor] of the machine; for processes it is taken away, for the rest it divides
 */

/** @typedef {{ each: number, bulks: readonly number[], drain: number, many: number, rounds: number }} Sizes */

/** @type {Sizes} */
export const FULL = { each: 1_000, bulks: [100_000, 1_000_000], drain: 100_000, many: 1_000_000, rounds: 3 };
/** Wrong results show with small numbers too. @type {Sizes} */
export const SMOKE = { each: 20, bulks: [600], drain: 600, many: 2_000, rounds: 1 };

/** @param {Sizes} sizes @param {number} echoPort @returns {readonly Row[]} */
export function rowsOf(sizes, echoPort) {
  return [...publishing(sizes, echoPort), ...draining(sizes), ...processes(sizes), kill, ...many(sizes)];
}

/** @param {readonly [string, string]} floors of a file, of a socket @param {number} count @param {number} echoPort */
const floorOf =
  ([ofEmbedded, ofMemcached], count, echoPort) =>
  async (/** @type {Place} */ place) => {
    const what = place.name === "embedded" ? ofEmbedded : ofMemcached;
    return (await measured(what, count, { folder: place.folder, port: echoPort })).ms;
  };

/** @param {Sizes} sizes @param {number} echoPort @returns {Row[]} */
function publishing({ each, bulks, rounds }, echoPort) {
  return [
    {
      name: `${String(each)} publishes, each awaited`,
      unit: "ms",
      better: "fall",
      rounds,
      measure: async (place) => {
        const { ms } = await measured("publish-each", each, place);
        await emptied(place, each);
        return ms;
      },
      floor: floorOf(["append-each", "ping-pong"], each, echoPort),
    },
    ...bulks.map((count) => bulk(count, rounds, echoPort)),
    bytes(bulks[0] ?? 0),
  ];
}

/** @param {number} count @param {number} rounds @param {number} echoPort @returns {Row} */
const bulk = (count, rounds, echoPort) => ({
  name: `bulk publish of ${String(count)}`,
  unit: "ms",
  better: "fall",
  rounds: count > 100_000 ? 1 : rounds,
  measure: async (place) => {
    const ms = await filled(place, count);
    await emptied(place, count);
    return ms;
  },
  floor: floorOf(["append-all", "send-all"], count, echoPort),
});

/** @param {number} count @returns {Row} */
const bytes = (count) => ({
  name: "bytes per queued task",
  unit: "B",
  better: "fall",
  rounds: 1,
  measure: async (place) => {
    const before = await place.bytes();
    await filled(place, count);
    const after = await place.bytes();
    await emptied(place, count);
    return (after - before) / count;
  },
});

/** @param {Sizes} sizes @returns {Row[]} */
function draining({ drain, many, rounds }) {
  return [
    ...[1, 2].map((workers) => ({
      name: `drain of ${String(drain)}, ${String(workers)} process${workers === 1 ? "" : "es"}`,
      unit: "tasks/s",
      better: /** @type {const} */ ("rise"),
      rounds,
      measure: async (/** @type {Place} */ place) => {
        await filled(place, drain);
        return (drain / (await drained(place, drain, workers)).ms) * 1_000;
      },
    })),
    {
      name: `peak memory of a drain of ${String(many)}`,
      unit: "MB",
      better: "fall",
      rounds: 1,
      measure: async (place) => {
        await filled(place, many);
        return (await drained(place, many, 1)).peakMb;
      },
    },
  ];
}

/** @param {Sizes} sizes @returns {Row[]} */
function processes({ rounds }) {
  const often = rounds * 5;
  const floor = async (/** @type {Place} */ place) => (await emptyScript(place)).ms;
  return [
    {
      name: "one publish-task, over an empty script",
      unit: "+ms",
      better: "fall",
      rounds: often,
      measure: async (place) => {
        const { ms, stdout } = await command("publish-task", ["push", "1000001", "text"], place);
        if (stdout.trim() === "") throw new Error("publish-task printed no id");
        await emptied(place, 1);
        return ms;
      },
      floor,
    },
    {
      name: "empty runjobs, over an empty script",
      unit: "+ms",
      better: "fall",
      rounds: often,
      measure: async (place) => (await command("runjobs", [], place)).ms,
      floor,
    },
  ];
}

/** @type {Row} */
const kill = {
  name: "kill -9 of a run: its task is done by another after",
  unit: "ms",
  better: "fall",
  rounds: 1,
  measure: redelivery,
};

/** @param {Sizes} sizes @returns {Row[]} */
function many({ each, many: waiting }) {
  const some = Math.min(1_000, waiting / 2);
  /** @type {readonly [string, (place: Place) => Promise<number>][]} */
  const works = [
    ["publishing one by one", async (place) => (await measured("publish-each", each, place)).ms],
    ["claiming", async (place) => (await drained(place, each, 1)).ms],
    ["memq status", async (place) => (await command("memq", ["status", "--json"], place)).ms],
  ];
  return works.map(([name, work]) => ({
    name: `${name} with ${String(waiting)} waiting, times that with ${String(some)}`,
    unit: "x",
    better: "fall",
    rounds: 1,
    measure: async (place) => {
      await filled(place, some);
      const ofFew = await work(place);
      await filled(place, waiting - some);
      const ofMany = await work(place);
      await emptied(place);
      return ofMany / ofFew;
    },
  }));
}

/** @param {Place} place @param {number} count */
async function filled(place, count) {
  const { ms, kept } = await measured("publish-all", count, place);
  if (kept !== count) throw new Error(`${place.name} kept ${String(kept)} of ${String(count)} tasks`);
  return ms;
}

/**
 * Drains by so many processes at once.
 * @param {Place} place
 * @param {number} count
 * @param {number} processes
 */
async function drained(place, count, processes) {
  const runs = await Promise.all(Array.from({ length: processes }, () => measured("drain", count, place)));
  const done = runs.reduce((sum, run) => sum + (run.done ?? 0), 0);
  const fault = runs.find(({ failure }) => failure !== undefined)?.failure;
  if (fault !== undefined || done !== count || runs.some(({ dead }) => dead !== 0)) {
    throw new Error(
      `${place.name}: ${String(done)} of ${String(count)} tasks were done${fault === undefined ? "" : `: ${fault}`}`,
    );
  }
  return {
    ms: Math.max(...runs.map(({ ms }) => ms)),
    peakMb: Math.max(...runs.map((run) => run.peakMb ?? 0)),
  };
}

/** Takes away what a measurement left; `count`: as many must be there. @param {Place} place @param {number} [count] */
async function emptied(place, count) {
  if (count !== undefined) await drained(place, count, 1);
  else await measured("drain", Number.MAX_SAFE_INTEGER, place);
}
