import { jsonIn } from "./json.mjs";

// The task of all rows: 120 bytes of JSON, for a handler that does nothing.
const TEXT = "the order of this customer is on its way and arrives today..";
const FIRST_ID = 1_000_000; // seven digits each, so that all tasks are of one size

/** What its method is called with. @param {number} nth @returns {[string, string]} */
export const argsOf = (nth) => [String(FIRST_ID + nth), TEXT];

/** The task as those queues keep it that keep data. @param {number} nth */
export const taskOf = (nth) => ({ class: "PushWorker", method: "push", args: argsOf(nth) });

/** The task as those queues keep it that keep text. @param {number} nth */
export const textOf = (nth) => JSON.stringify(taskOf(nth));

/** Which one arrived. @param {string} text */
export const idIn = (text) => /** @type {ReturnType<typeof taskOf>} */ (jsonIn(text)).args[0];

/** @param {string} id */
export const nthOf = (id) => Number(id) - FIRST_ID;

/**
 * Numbers in a row, in pieces that a client sends in one go.
 * @param {{ first: number, count: number }} span
 * @param {number} size
 */
export function* piecesOf({ first, count }, size) {
  for (let at = first; at < first + count; at += size) {
    yield Array.from({ length: Math.min(size, first + count - at) }, (_, nth) => at + nth);
  }
}
