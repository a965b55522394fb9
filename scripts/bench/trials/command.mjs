/** What a shell and cron start. @param {{ rounds: number, repeats: number }} sizes @returns {import("../trial.mjs").Trial} */
export const command = ({ rounds, repeats }) => ({
  name: "command",
  about: "one publish and one empty run as processes",
  rounds: rounds * repeats,
  rows: [
    {
      key: "publish",
      title: "one publish as a process, over `node -e 0`",
      unit: "ms",
      better: "fall",
      isOver: true,
    },
    {
      key: "run",
      title: "an empty run as a process, over `node -e 0`",
      unit: "ms",
      better: "fall",
      isOver: true,
    },
  ],
  measure: async (place) => {
    const publish = await place.publishCommand();
    await place.drain();
    place.assertAllArrived();
    return { publish, run: await place.runCommand() };
  },
  floors: async (ground) => ({
    node: { publish: await ground.emptyScript(), run: await ground.emptyScript() },
  }),
});
