import { join } from "node:path";
import { open } from "../../../dist/index.js";
import { argsOf } from "../task.mjs";

/** @typedef {import("../measured.mjs").Work} Work */

/** @param {import("../measured.mjs").Setting} setting @returns {Promise<import("../measured.mjs").Client>} */
export async function connected({ folder }) {
  /** @type {Work["handle"]} */
  let handle = () => undefined;
  class PushWorker {
    /** @param {string} id */
    push(id) {
      return handle(id);
    }
  }
  const memq = await open(join(folder, "config.ini"), { handlers: { PushWorker } });
  return {
    publish: (nth) => memq.publish("push", argsOf(nth)),
    publishAll: async (span) => {
      const { kept } = await memq.publishMany(callsOf(span));
      if (kept !== span.count) throw new Error(`${String(kept)} of ${String(span.count)} tasks were kept`);
    },
    work: async ({ limit, stays, ...work }) => {
      handle = work.handle;
      const limits = Number.isFinite(limit) ? { maxTasks: limit } : {};
      const [queue] = (await (stays ? memq.work(limits) : memq.run(limits))).queues;
      if (queue?.failure !== undefined) throw new Error(queue.failure.message);
      if (queue?.dead !== 0) throw new Error(`${String(queue?.dead)} tasks became dead letters`);
    },
    close: () => memq.close(),
  };
}

/** @param {{ first: number, count: number }} span */
function* callsOf({ first, count }) {
  for (let nth = first; nth < first + count; nth++) yield { method: "push", args: argsOf(nth) };
}
