// The floors of the machine, measured in turn with the queues.
import { join } from "node:path";
import { ended, heard, killed, started } from "./child.mjs";

/** @typedef {"append-each" | "append-all" | "ping-pong" | "send-all"} FloorName */

/** What the floors stand on: a folder, and a server that sends back what it gets. */
export class Ground {
  #folder;
  #echo;

  /** @param {string} folder @param {import("./child.mjs").Started} echo */
  constructor(folder, echo) {
    this.#folder = folder;
    this.#echo = echo;
  }

  /** @param {string} folder */
  static async open(folder) {
    const echo = started(process.execPath, [join(import.meta.dirname, "echo.mjs")], { cwd: folder });
    await heard(echo, "\n");
    return new Ground(folder, echo);
  }

  /** Milliseconds. @param {FloorName} what @param {number} count */
  async floor(what, count) {
    const args = [join(import.meta.dirname, "floor.mjs"), what, String(count)];
    const { out } = await ended(process.execPath, [...args, this.#folder, this.#echo.said.out.trim()], {
      cwd: this.#folder,
    });
    return Number(out);
  }

  /** Milliseconds of a process of Node that does nothing. */
  async emptyScript() {
    return (await ended(process.execPath, ["-e", "0"], { cwd: this.#folder })).ms;
  }

  async close() {
    await killed(this.#echo);
  }
}
