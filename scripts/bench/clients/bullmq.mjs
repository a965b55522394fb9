import { loadPeer } from "../peer-package.mjs";
import { piecesOf, taskOf } from "../task.mjs";

/** @typedef {ReturnType<typeof taskOf>} Task */
/** @typedef {{ name: string, data: Task }} Job */
/**
 * @typedef {object} Queue
 * @property {(name: string, data: Task) => Promise<unknown>} add
 * @property {(jobs: readonly Job[]) => Promise<unknown>} addBulk
 * @property {() => Promise<number>} getWaitingCount
 * @property {() => Promise<unknown>} waitUntilReady
 * @property {() => Promise<void>} close
 */
/** @typedef {{ once: (event: string, listener: () => void) => void, on: (event: string, listener: (error: Error) => void) => void, close: () => Promise<void> }} Worker */
/**
 * @typedef {object} BullMQ
 * @property {new (name: string, options: object) => Queue} Queue
 * @property {new (name: string, handle: (job: Job) => Promise<void>, options: object) => Worker} Worker
 */

const QUEUE = "push";
const BULK = 1_000;
const CONCURRENCY = 100;

/** @param {import("../measured.mjs").Setting} setting @returns {Promise<import("../measured.mjs").Client>} */
export async function connected({ peers, port }) {
  const bullmq = /** @type {BullMQ} */ (await loadPeer(peers, "bullmq"));
  const connection = { host: "127.0.0.1", port, maxRetriesPerRequest: null };
  const queue = new bullmq.Queue(QUEUE, { connection, defaultJobOptions: { removeOnComplete: true } });
  await queue.waitUntilReady();
  return {
    publish: (nth) => queue.add(QUEUE, taskOf(nth)),
    publishAll: async (span) => {
      for (const piece of piecesOf(span, BULK)) {
        await queue.addBulk(piece.map((nth) => ({ name: QUEUE, data: taskOf(nth) })));
      }
    },
    work: ({ handle, limit, stays }) => {
      /** @type {Worker} */
      let worker;
      return new Promise((resolve, reject) => {
        let left = limit;
        const process = async (/** @type {Job} */ { data }) => {
          await handle(data.args[0]);
          if (--left === 0) setImmediate(end);
        };
        const end = () => {
          worker.close().then(resolve, reject);
        };
        worker = new bullmq.Worker(QUEUE, process, { connection, concurrency: CONCURRENCY });
        worker.on("error", reject);
        if (!stays) worker.once("drained", end);
      });
    },
    waiting: () => queue.getWaitingCount(),
    close: () => queue.close(),
  };
}
