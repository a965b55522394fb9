import { setTimeout as pause } from "node:timers/promises";
import { loadPeer } from "../peer-package.mjs";
import { piecesOf, taskOf } from "../task.mjs";

/** @typedef {{ data: ReturnType<typeof taskOf>, save: () => Promise<unknown> }} Job */
/**
 * @typedef {object} Queue
 * @property {(data: ReturnType<typeof taskOf>) => Job} createJob
 * @property {(jobs: readonly Job[]) => Promise<Map<Job, Error>>} saveAll
 * @property {(concurrency: number, handle: (job: Job) => Promise<void>) => void} process
 * @property {(intervalMs: number) => Promise<unknown>} checkStalledJobs
 * @property {() => Promise<{ waiting: number, active: number }>} checkHealth
 * @property {() => Promise<unknown>} ready
 * @property {() => Promise<void>} close
 */
/** @typedef {new (name: string, options: object) => Queue} BeeQueue */

const BULK = 1_000;
const CONCURRENCY = 100;
const STALL_CHECK_MS = 5_000; // its default interval, and what its documentation shows
const LOOK_EVERY_MS = 10;

/** @param {import("../measured.mjs").Setting} setting @returns {Promise<import("../measured.mjs").Client>} */
export async function connected({ peers, port }) {
  const BeeQueue = /** @type {BeeQueue} */ (await loadPeer(peers, "bee-queue"));
  const redis = { host: "127.0.0.1", port };
  const lean = { redis, getEvents: false, sendEvents: false, storeJobs: false, removeOnSuccess: true };
  const queue = new BeeQueue("push", { ...lean, isWorker: false });
  await queue.ready();
  return {
    publish: (nth) => queue.createJob(taskOf(nth)).save(),
    publishAll: async (span) => {
      for (const piece of piecesOf(span, BULK)) {
        const [fault] = (await queue.saveAll(piece.map((nth) => queue.createJob(taskOf(nth))))).values();
        if (fault !== undefined) throw fault;
      }
    },
    work: (work) => worked(new BeeQueue("push", lean), work),
    waiting: async () => (await queue.checkHealth()).waiting,
    close: () => queue.close(),
  };
}

/** @param {Queue} queue @param {import("../measured.mjs").Work} work */
async function worked(queue, { handle, limit, stays }) {
  await queue.ready();
  let handled = 0;
  queue.process(CONCURRENCY, async ({ data }) => {
    await handle(data.args[0]);
    handled++;
  });
  if (stays) void queue.checkStalledJobs(STALL_CHECK_MS);
  let before = -1;
  while (handled < limit) {
    if (!stays && before === handled && (await isEmpty(queue))) break;
    before = handled;
    await pause(LOOK_EVERY_MS);
  }
  await queue.close();
}

/** A task that has left the list and not reached a handler would be lost to whoever closes now. @param {Queue} queue */
async function isEmpty(queue) {
  const { waiting, active } = await queue.checkHealth();
  return waiting + active === 0;
}
