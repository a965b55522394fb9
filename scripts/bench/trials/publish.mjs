/** One publish after the other. @param {{ each: number, rounds: number }} sizes @returns {import("../trial.mjs").Trial} */
export const publish = ({ each, rounds }) => ({
  name: "publish",
  about: "publishes, each awaited",
  rounds,
  rows: [
    {
      key: "publish",
      title: `${each.toLocaleString("en")} publishes, each awaited`,
      unit: "ms",
      better: "fall",
    },
  ],
  measure: async (place) => {
    const ms = await place.publishEach({ count: each });
    await place.drain();
    place.assertAllArrived();
    return { publish: ms };
  },
  floors: async (ground) => ({
    file: { publish: await ground.floor("append-each", each) },
    socket: { publish: await ground.floor("ping-pong", each) },
  }),
});
