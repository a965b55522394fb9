import { setTimeout as pause } from "node:timers/promises";
import { loadPeer } from "../peer-package.mjs";
import { idIn, piecesOf, textOf } from "../task.mjs";

/** @typedef {{ content: Buffer }} Message */
/**
 * @typedef {object} Channel
 * @property {(name: string, options: object) => Promise<unknown>} assertQueue
 * @property {(name: string, body: Buffer, options: object, confirmed?: (fault: unknown) => void) => boolean} sendToQueue
 * @property {() => Promise<unknown>} waitForConfirms
 * @property {(count: number) => Promise<unknown>} prefetch
 * @property {(name: string, take: (message: Message | null) => void) => Promise<{ consumerTag: string }>} consume
 * @property {(consumerTag: string) => Promise<unknown>} cancel
 * @property {(message: Message) => void} ack
 * @property {(name: string) => Promise<{ messageCount: number }>} checkQueue
 * @property {() => Promise<void>} close
 */
/** @typedef {{ connect: (url: string) => Promise<{ createConfirmChannel: () => Promise<Channel>, close: () => Promise<void> }> }} Amqplib */

const QUEUE = "push";
const UNCONFIRMED = 5_000;
const PREFETCH = 1_000;
const LOOK_EVERY_MS = 10;

/** @param {import("../measured.mjs").Setting} setting @returns {Promise<import("../measured.mjs").Client>} */
export async function connected({ peers, port }) {
  const amqplib = /** @type {Amqplib} */ (await loadPeer(peers, "amqplib"));
  const connection = await amqplib.connect(`amqp://127.0.0.1:${String(port)}`);
  const channel = await connection.createConfirmChannel();
  await channel.assertQueue(QUEUE, { durable: true, arguments: { "x-queue-type": "quorum" } });
  return {
    publish: (nth) =>
      new Promise((resolve, reject) => {
        channel.sendToQueue(QUEUE, Buffer.from(textOf(nth)), { persistent: true }, (fault) => {
          if (fault === null || fault === undefined) resolve(undefined);
          else reject(new Error("RabbitMQ refused a message", { cause: fault }));
        });
      }),
    publishAll: async (span) => {
      for (const piece of piecesOf(span, UNCONFIRMED)) {
        for (const nth of piece) channel.sendToQueue(QUEUE, Buffer.from(textOf(nth)), { persistent: true });
        await channel.waitForConfirms();
      }
    },
    work: (work) => worked(channel, work),
    waiting: async () => (await channel.checkQueue(QUEUE)).messageCount,
    close: async () => {
      await channel.close();
      await connection.close();
    },
  };
}

/** @param {Channel} channel @param {import("../measured.mjs").Work} work */
async function worked(channel, { handle, limit, stays }) {
  let handled = 0;
  await channel.prefetch(PREFETCH);
  const take = async (/** @type {Message | null} */ message) => {
    if (message === null) return;
    await handle(idIn(message.content.toString()));
    channel.ack(message);
    handled++;
  };
  const { consumerTag } = await channel.consume(QUEUE, (message) => void take(message));
  let before = -1;
  while (handled < limit) {
    if (!stays && before === handled && (await channel.checkQueue(QUEUE)).messageCount === 0) break;
    before = handled;
    await pause(LOOK_EVERY_MS);
  }
  await channel.cancel(consumerTag); // what was delivered before is handled, nothing comes after
}
