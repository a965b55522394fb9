// What the machine itself needs for as much, in a process of its own; the milliseconds go to stdout.
//   node floor.mjs WHAT COUNT FOLDER PORT      PORT: of an echo.mjs
import { once } from "node:events";
import { closeSync, fsyncSync, openSync, writeSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { textOf } from "./task.mjs";

const [what = "", countText = "0", folder = ".", port = "0"] = process.argv.slice(2);
const count = Number(countText);
// Writing piece by piece would measure the system's calls, one single piece the memory.
const PIECE_CHARS = 64 * 1024;

/** @param {number} nth */
const lineOf = (nth) => `${textOf(nth)}\n`;

/** @type {Record<string, () => Promise<number> | number>} */
const FLOORS = {
  /** A line appended and synced, `count` times. */
  "append-each": () =>
    inFile((file) => {
      for (let nth = 0; nth < count; nth++) {
        writeSync(file, lineOf(nth));
        fsyncSync(file);
      }
    }),
  /** As many lines written and synced once. */
  "append-all": () =>
    inFile((file) => {
      for (const piece of pieces()) writeSync(file, piece);
      fsyncSync(file);
    }),
  /** A line sent over loopback and echoed, `count` times. */
  "ping-pong": () =>
    overLoopback(async (socket) => {
      for (let nth = 0; nth < count; nth++) {
        socket.write(lineOf(nth));
        await once(socket, "data");
      }
    }),
  /** As many lines sent over loopback in one go, and the last answer awaited. */
  "send-all": () => overLoopback(sendAll),
};

const floor = FLOORS[what];
if (floor === undefined) throw new Error(`there is no floor ${what}`);
console.log(await floor());

/** @param {(file: number) => void} work */
function inFile(work) {
  const file = openSync(join(folder, "floor.txt"), "w");
  try {
    const beganMs = performance.now();
    work(file);
    return performance.now() - beganMs;
  } finally {
    closeSync(file);
  }
}

/** @param {(socket: import("node:net").Socket) => Promise<void>} work */
async function overLoopback(work) {
  const socket = connect({ port: Number(port), noDelay: true });
  await once(socket, "connect");
  const beganMs = performance.now();
  await work(socket);
  socket.destroy();
  return performance.now() - beganMs;
}

/** @param {import("node:net").Socket} socket */
async function sendAll(socket) {
  let left = count * Buffer.byteLength(lineOf(0));
  const answered = new Promise((resolve) => {
    socket.on("data", (bytes) => {
      left -= bytes.length;
      if (left <= 0) resolve(undefined);
    });
  });
  for (const piece of pieces()) if (!socket.write(piece)) await once(socket, "drain");
  await answered;
}

function* pieces() {
  let piece = "";
  for (let nth = 0; nth < count; nth++) {
    piece += lineOf(nth);
    if (piece.length < PIECE_CHARS) continue;
    yield piece;
    piece = "";
  }
  yield piece;
}
