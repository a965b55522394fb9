// One measurement of one client in a process of its own, so that none warms up the next; its figures go to stdout.
//   node measured.mjs CLIENT WHAT SETTING     SETTING is JSON: see Setting
import { writeSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { jsonIn } from "./json.mjs";
import { enter, nobody } from "./roll-call.mjs";
import { argsOf } from "./task.mjs";

/**
 * What all clients can do; each publishes and works off in the way that its own documentation recommends.
 * @typedef {object} Client
 * @property {(nth: number) => unknown} publish one task; resolves when the queue says that it is kept
 * @property {(span: { first: number, count: number }) => Promise<unknown>} publishAll resolves when all are kept
 * @property {(work: Work) => Promise<unknown>} work resolves when all that was handled is acknowledged
 * @property {() => number | Promise<number>} [waiting] how many tasks wait
 * @property {() => unknown} close
 */
/**
 * @typedef {object} Work
 * @property {(id: string) => void | Promise<void>} handle
 * @property {number} limit so many tasks are enough
 * @property {boolean} stays it goes on to wait when nothing is left
 */
/**
 * @typedef {object} Setting
 * @property {string} folder
 * @property {number} port
 * @property {string} peers the folder of the peers' packages
 * @property {number} first
 * @property {number} count for a drain: that many at most, 0: all
 * @property {boolean} [together] says "ready", and begins at the first sign on stdin
 */

const IDLE_MS = 25;
/** On a clock that all processes share. */
const upMs = () => Number(process.hrtime.bigint()) / 1e6;

const [name = "", what = "", text = "{}"] = process.argv.slice(2);
const setting = /** @type {Setting} */ (jsonIn(text));
/** @type {unknown} */
const imported = await import(`./clients/${name}.mjs`);
const { connected } = /** @type {{ connected: (setting: Setting) => Promise<Client> }} */ (imported);

/** @type {Record<string, (client: Client) => Promise<object>>} */
const MEASUREMENTS = {
  "publish-each": published,
  "publish-all": async (client) => {
    await client.publishAll(setting);
    return {};
  },
  drain: drained,
  /** Dies as by kill -9 at the moment that the last one is kept. */
  "publish-and-die": async (client) => {
    await published(client);
    say({ ms: 0 });
    process.kill(process.pid, "SIGKILL");
    return new Promise(() => undefined);
  },
  /** Takes a task, and is at it for ever. */
  hold: async (client) => {
    const handle = () => {
      say({ held: true });
      return new Promise(() => undefined);
    };
    await client.work({ handle: /** @type {Work["handle"]} */ (handle), limit: 1, stays: true });
    return {};
  },
  /** Waits for a task, and does it. */
  rescue: async (client) => {
    say({ ready: true });
    await client.work({
      handle: () => {
        say({ done: true });
      },
      limit: 1,
      stays: true,
    });
    return {};
  },
  /** Publishes one task after the other, with a pause before each: whoever waits for tasks is idle again. */
  "publish-now-and-then": async (client) => {
    const { first, count } = setting;
    const sent = [];
    for (let nth = first; nth < first + count; nth++) {
      await pause(IDLE_MS);
      sent.push([argsOf(nth)[0], upMs()]);
      await client.publish(nth);
    }
    return { times: sent };
  },
  /** Waits for so many tasks. */
  "work-as-they-come": async (client) => {
    /** @type {[string, number][]} */
    const arrived = [];
    const handle = (/** @type {string} */ id) => {
      arrived.push([id, upMs()]);
    };
    say({ ready: true });
    await client.work({ handle, limit: setting.count, stays: true });
    return { times: arrived };
  },
  waiting: async (client) => ({ waiting: await client.waiting?.() }),
};

const measure = MEASUREMENTS[what];
if (measure === undefined) throw new Error(`there is no measurement ${what}`);
const client = await connected(setting);
if (setting.together === true) await sign();
const beganMs = performance.now();
const found = await measure(client);
const ms = performance.now() - beganMs;
await client.close();
say({ ms, beganAtMs: performance.timeOrigin + beganMs, ...found });

/** @param {Client} client */
async function published(client) {
  const { first, count } = setting;
  for (let nth = first; nth < first + count; nth++) await client.publish(nth);
  return {};
}

/** @param {Client} client */
async function drained(client) {
  const roll = nobody();
  const handle = (/** @type {string} */ id) => {
    enter(roll, id);
  };
  const limit = setting.count === 0 ? Number.POSITIVE_INFINITY : setting.count;
  await client.work({ handle, limit, stays: false });
  return { roll, peakMb: process.resourceUsage().maxRSS / 1024 };
}

async function sign() {
  say({ ready: true });
  await new Promise((resolve) => process.stdin.once("data", resolve));
  process.stdin.destroy();
}

/** @param {object} line */
function say(line) {
  writeSync(1, `${JSON.stringify(line)}\n`);
}
