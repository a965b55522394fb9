import { setTimeout as pause } from "node:timers/promises";

const PATIENCE_MS = 120_000; // RabbitMQ takes its time to start
const LOOK_EVERY_MS = 10;

/**
 * Waits until something is so.
 * @param {string} what
 * @param {() => boolean | Promise<boolean>} isSo
 * @param {number} [withinMs] default two minutes
 * @throws when it is not so in time
 */
export async function until(what, isSo, withinMs = PATIENCE_MS) {
  const endMs = performance.now() + withinMs;
  while (!(await isSo())) {
    if (performance.now() > endMs) throw new Error(`${what}: not within ${String(withinMs / 1_000)} s`);
    await pause(LOOK_EVERY_MS);
  }
}
