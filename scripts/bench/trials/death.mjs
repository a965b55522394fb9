import { RESCUE_WITHIN_MS } from "../place.mjs";

/** kill -9 of a consumer and of a server. @param {{ each: number }} sizes @returns {import("../trial.mjs").Trial} */
export const death = ({ each }) => ({
  name: "death",
  about: "kill -9 of a consumer in the middle of a task, and of a server that keeps tasks",
  rounds: 1,
  rows: [
    {
      key: "rescue",
      title: "kill -9 of a consumer: its task is done by another after",
      unit: "ms",
      better: "fall",
      beyond: `> ${String(RESCUE_WITHIN_MS / 1_000)} s`,
    },
    {
      key: "kept",
      title: `kill -9 of the server (without one, of the publisher) after ${each.toLocaleString("en")} publishes: kept`,
      unit: "tasks",
      better: "rise",
    },
  ],
  measure: async (place) => {
    const kept = await keptOf(place, each);
    await place.renew();
    return { kept, rescue: await place.rescue() };
  },
});

/** @param {import("../place.mjs").Place} place @param {number} count */
async function keptOf(place, count) {
  if (place.contender.daemon === undefined) await place.publishAndDie({ count });
  else await place.publishEach({ count });
  await place.killServer();
  await place.startServer();
  const { count: kept } = await place.drain();
  const { isOurs, daemon } = place.contender;
  if (isOurs && daemon === undefined && kept !== count) {
    throw new Error(
      `${String(kept)} of ${String(count)} tasks outlived their publisher, not all as promised`,
    );
  }
  if (kept > count) throw new Error(`${String(kept)} of ${String(count)} tasks arrived`);
  return kept;
}
