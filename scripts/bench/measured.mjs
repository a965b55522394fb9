// One measurement in a process of its own, so that none warms up the next; its figures go to stdout as JSON.
//   node measured.mjs WHAT COUNT FOLDER [PORT]
import { once } from "node:events";
import { closeSync, fsyncSync, openSync, writeSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { open } from "../../dist/index.js";

const [what = "", countText = "0", folder = ".", port = "0"] = process.argv.slice(2);
const count = Number(countText);

// The task of all rows: 120 bytes of JSON, for a handler that does nothing.
const TEXT = "the order of this customer is on its way and arrives today..";
/** @param {number} nth @returns {[string, string]} */
const argsOf = (nth) => [String(1_000_000 + nth), TEXT];
/** @param {number} nth */
const jsonOf = (nth) => `${JSON.stringify({ class: "PushWorker", method: "push", args: argsOf(nth) })}\n`;
// Writing piece by piece would measure the system's calls, one single piece the memory.
const PIECE_CHARS = 64 * 1024;

/** @type {Record<string, () => Promise<object>>} */
const MEASUREMENTS = {
  /** Floor: a line appended and synced, `count` times. */
  "append-each": () =>
    inFile((file) => {
      for (let nth = 0; nth < count; nth++) {
        writeSync(file, jsonOf(nth));
        fsyncSync(file);
      }
    }),
  /** Floor: as many lines written and synced once. */
  "append-all": () =>
    inFile((file) => {
      for (const piece of pieces()) writeSync(file, piece);
      fsyncSync(file);
    }),
  /** Floor: a line sent over loopback and echoed, `count` times. */
  "ping-pong": async () => {
    const socket = connect({ port: Number(port), noDelay: true });
    await once(socket, "connect");
    return timed(async () => {
      for (let nth = 0; nth < count; nth++) {
        socket.write(jsonOf(nth));
        await once(socket, "data");
      }
    }).finally(() => socket.destroy());
  },
  /** Floor: as many lines sent over loopback in one go, and the last answer awaited. */
  "send-all": async () => {
    const socket = connect({ port: Number(port), noDelay: true });
    await once(socket, "connect");
    let left = 0;
    const answered = new Promise((resolve) => {
      socket.on("data", (bytes) => {
        left -= bytes.length;
        if (left <= 0) resolve(undefined);
      });
    });
    left = count * Buffer.byteLength(jsonOf(0));
    return timed(async () => {
      for (const piece of pieces()) if (!socket.write(piece)) await once(socket, "drain");
      await answered;
    }).finally(() => socket.destroy());
  },
  "publish-each": () =>
    withMemq((memq) =>
      timed(async () => {
        for (let nth = 0; nth < count; nth++) await memq.publish("push", argsOf(nth));
      }),
    ),
  "publish-all": () =>
    withMemq((memq) =>
      timed(async () => {
        const { kept } = await memq.publishMany(calls());
        return { kept };
      }),
    ),
  /** Drains, at most `count` tasks. */
  drain: () =>
    withMemq(async (memq) => {
      const figures = await timed(async () => {
        const [queue] = (await memq.run({ maxTasks: count })).queues;
        return { done: queue?.done, dead: queue?.dead, failure: queue?.failure?.message };
      });
      return { ...figures, peakMb: process.resourceUsage().maxRSS / 1024 };
    }),
};

const measure = MEASUREMENTS[what];
if (measure === undefined) throw new Error(`there is no measurement ${what}`);
console.log(JSON.stringify(await measure()));

/**
 * @param {() => object | void | Promise<object | void>} work
 * @returns {Promise<object>}
 */
async function timed(work) {
  const beganMs = performance.now();
  const found = await work();
  return { ms: performance.now() - beganMs, ...found };
}

/** @param {(file: number) => void} work */
async function inFile(work) {
  const file = openSync(join(folder, "floor.txt"), "w");
  try {
    return await timed(() => {
      work(file);
    });
  } finally {
    closeSync(file);
  }
}

function* pieces() {
  let piece = "";
  for (let nth = 0; nth < count; nth++) {
    piece += jsonOf(nth);
    if (piece.length < PIECE_CHARS) continue;
    yield piece;
    piece = "";
  }
  yield piece;
}

function* calls() {
  for (let nth = 0; nth < count; nth++) yield { method: "push", args: argsOf(nth) };
}

/** @param {(memq: Awaited<ReturnType<typeof open>>) => Promise<object>} work */
async function withMemq(work) {
  const memq = await open(join(folder, "config.ini"));
  try {
    return await work(memq);
  } finally {
    await memq.close();
  }
}
