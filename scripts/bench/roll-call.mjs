import { nthOf } from "./task.mjs";

// Odd numbers without pattern.
const SPREAD = 0x9e3779b1;
const SPREAD_AGAIN = 0x85ebca6b;

/**
 * Which tasks there were, in three numbers: two roll calls are equal when they saw the same tasks equally often. As
 * plain numbers it travels between processes, and costs a handler next to nothing.
 * @typedef {{ count: number, sum: number, mix: number }} RollCall
 */

/** @returns {RollCall} */
export const nobody = () => ({ count: 0, sum: 0, mix: 0 });

/** @param {RollCall} roll @param {string} id */
export function enter(roll, id) {
  const nth = nthOf(id);
  roll.count++;
  roll.sum += nth;
  roll.mix += mixed(nth);
}

/**
 * Scatters a number over 32 bits, so that the sums of what was lost and of what came twice differ even when the
 * numbers' own sums do not. A million of them stay below 2^53.
 * @param {number} nth
 */
function mixed(nth) {
  const once = Math.imul(nth, SPREAD);
  return Math.imul(once ^ (once >>> 15), SPREAD_AGAIN) >>> 0;
}

/** @param {{ first: number, count: number }} span @returns {RollCall} */
export function rollOf({ first, count }) {
  const roll = nobody();
  for (let nth = first; nth < first + count; nth++) {
    roll.count++;
    roll.sum += nth;
    roll.mix += mixed(nth);
  }
  return roll;
}

/** @param {RollCall} one @param {RollCall} other @returns {RollCall} */
export const both = (one, other) => ({
  count: one.count + other.count,
  sum: one.sum + other.sum,
  mix: one.mix + other.mix,
});

/** What is wrong with those that arrived; undefined: all did, each once. @param {RollCall} sent @param {RollCall} arrived */
export function faultIn(sent, arrived) {
  if (sent.count !== arrived.count) return `${String(arrived.count)} of ${String(sent.count)} tasks arrived`;
  if (sent.sum !== arrived.sum || sent.mix !== arrived.mix) return "a task arrived twice in place of another";
  return undefined;
}
