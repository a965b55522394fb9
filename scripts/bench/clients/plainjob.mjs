import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { loadPeer } from "../peer-package.mjs";
import { idIn, piecesOf, taskOf } from "../task.mjs";

/**
 * @typedef {object} Queue
 * @property {(type: string, data: object) => unknown} add
 * @property {(type: string, data: readonly object[]) => unknown} addMany
 * @property {(which: { type: string, status: number }) => number} countJobs
 * @property {() => void} close
 */
/** @typedef {{ start: () => Promise<void>, stop: () => Promise<void> }} Worker */
/**
 * @typedef {object} Plainjob
 * @property {(database: object) => object} better
 * @property {(options: object) => Queue} defineQueue
 * @property {(type: string, handle: (job: { data: string }) => Promise<void>, options: object) => Worker} defineWorker
 */

const TYPE = "push";
const BULK = 1_000;
const PENDING = 0;
const LOOK_EVERY_MS = 10;
const nothing = () => undefined;
const logger = { error: console.error, warn: console.error, info: nothing, debug: nothing };

/** @param {import("../measured.mjs").Setting} setting @returns {Promise<import("../measured.mjs").Client>} */
export async function connected({ peers, folder }) {
  const Database = /** @type {new (file: string) => object} */ (await loadPeer(peers, "better-sqlite3"));
  const plainjob = /** @type {Plainjob} */ (await loadPeer(peers, "plainjob"));
  const connection = plainjob.better(new Database(join(folder, "plainjob.db")));
  const queue = plainjob.defineQueue({ connection, logger });
  const waiting = () => queue.countJobs({ type: TYPE, status: PENDING });
  return {
    publish: (nth) => queue.add(TYPE, taskOf(nth)),
    publishAll: (span) => {
      for (const piece of piecesOf(span, BULK)) queue.addMany(TYPE, piece.map(taskOf));
      return Promise.resolve();
    },
    work: async ({ handle, limit, stays }) => {
      let left = limit;
      const worker = plainjob.defineWorker(
        TYPE,
        async ({ data }) => {
          await handle(idIn(data));
          if (--left === 0) void worker.stop();
        },
        { queue, logger },
      );
      const end = worker.start();
      while (left > 0 && (stays || waiting() > 0)) await pause(LOOK_EVERY_MS);
      await worker.stop();
      await end;
    },
    waiting,
    close: () => {
      queue.close();
    },
  };
}
