// Where a measurement takes place: a project in a folder of its own, and the processes that work on it.
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";

const scripts = join(import.meta.dirname, "..");
const MEMCACHED_MB = 4096; // a million tasks need more than its default of 64 MB; -M: full is an error, not a loss

// `once` stays until the file that tells that it began is there, as a task does whose process is killed.
const HANDLER = `import { existsSync, writeFileSync } from "node:fs";
export default class PushWorker {
  push() {}
  async stay() {
    if (existsSync("began")) return;
    writeFileSync("began", "");
    await new Promise((resolve) => setTimeout(resolve, 600_000));
  }
}
`;

/**
 * @typedef {object} Place
 * @property {string} name
 * @property {string} folder
 * @property {() => Promise<number>} bytes what its tasks occupy
 * @property {() => Promise<void>} close
 */

/** @param {string} name @param {string} folder @param {string} config */
function makeProject(name, folder, config) {
  mkdirSync(folder);
  writeFileSync(join(folder, "config.ini"), `classname = PushWorker\nhandlers = worker.mjs\n${config}`);
  writeFileSync(join(folder, "worker.mjs"), HANDLER);
  return { name, folder };
}

/** @param {string} above @returns {Place} */
export function embeddedPlace(above) {
  const project = makeProject("embedded", join(above, "embedded"), "");
  const store = join(project.folder, "memq-data");
  const sizes = () =>
    existsSync(store) ? readdirSync(store).map((file) => statSync(join(store, file)).size) : [];
  return {
    ...project,
    bytes: () => Promise.resolve(sizes().reduce((sum, bytes) => sum + bytes, 0)),
    close: () => Promise.resolve(),
  };
}

/** Undefined where memcached is not installed. @param {string} above @returns {Promise<Place | undefined>} */
export async function memcachedPlace(above) {
  if (spawnSync("memcached", ["--version"]).status !== 0) return undefined;
  const port = await freePort();
  const user = process.getuid?.() === 0 ? ["-u", "nobody"] : [];
  const args = ["-l", "127.0.0.1", "-p", String(port), "-m", String(MEMCACHED_MB), "-M", ...user];
  const server = spawn("memcached", args, { stdio: "ignore" });
  const config = `queueip = 127.0.0.1\nqueueport = ${String(port)}\n`;
  const project = makeProject("memcached", join(above, "memcached"), config);
  await until(() => answers(port));
  return {
    ...project,
    bytes: () => storedBytes(port),
    close: async () => {
      server.kill("SIGKILL");
      await once(server, "exit");
    },
  };
}

/** A server that sends back what it gets. */
export async function echoServer() {
  const path = join(import.meta.dirname, "echo.mjs");
  const server = spawn(process.execPath, [path], { stdio: ["ignore", "pipe", "inherit"] });
  const said = await first(server.stdout, "data");
  return { port: Number(String(said)), close: () => server.kill("SIGKILL") };
}

/**
 * A measurement's figures, from a process of its own.
 * @param {string} what
 * @param {number} count
 * @param {{ folder: string, port?: number }} where
 * @returns {Promise<{ ms: number, kept?: number, done?: number, dead?: number, failure?: string, peakMb?: number }>}
 */
export async function measured(what, count, { folder, port = 0 }) {
  const path = join(import.meta.dirname, "measured.mjs");
  const { code, stdout } = await ended(
    process.execPath,
    [path, what, String(count), folder, String(port)],
    folder,
  );
  if (code !== 0) throw new Error(`${what} in ${folder} ended with ${String(code)}`);
  /** @type {unknown} */
  const figures = JSON.parse(stdout);
  return /** @type {{ ms: number }} */ (figures);
}

/**
 * A command of memq, timed from outside.
 * @param {string} name
 * @param {readonly string[]} args
 * @param {{ folder: string }} place
 */
export async function command(name, args, { folder }) {
  const result = await ended(process.execPath, [join(scripts, name), ...args], folder);
  if (result.code !== 0) throw new Error(`${name} ${args.join(" ")} ended with ${String(result.code)}`);
  return result;
}

/** An empty script of Node. @param {{ folder: string }} place */
export const emptyScript = ({ folder }) => ended(process.execPath, ["-e", "0"], folder);

/** Milliseconds from the kill of a run in the middle of a task to the end of that task in another run. @param {Place} place */
export async function redelivery(place) {
  await command("publish-task", ["stay"], place);
  const run = spawn(process.execPath, [join(scripts, "runjobs")], { cwd: place.folder, stdio: "ignore" });
  await until(() => Promise.resolve(existsSync(join(place.folder, "began"))));
  run.kill("SIGKILL");
  const beganMs = performance.now();
  await until(async () => doneIn(await command("runjobs", ["--summary", "json"], place)) === 1);
  return performance.now() - beganMs;
}

/** @param {{ stdout: string }} ended */
function doneIn({ stdout }) {
  /** @type {unknown} */
  const report = JSON.parse(stdout);
  return /** @type {{ queues: { done: number }[] }} */ (report).queues[0]?.done;
}

/**
 * @param {string} file
 * @param {readonly string[]} args
 * @param {string} cwd
 */
async function ended(file, args, cwd) {
  const beganMs = performance.now();
  const child = spawn(file, args, { cwd, stdio: ["ignore", "pipe", "inherit"] });
  let stdout = "";
  child.stdout.setEncoding("utf8").on("data", (text) => (stdout += String(text)));
  const code = await first(child, "close");
  return { code, stdout, ms: performance.now() - beganMs };
}

/**
 * What the event tells first.
 * @param {import("node:events").EventEmitter} emitter
 * @param {string} event
 * @returns {Promise<unknown>}
 */
const first = (emitter, event) =>
  new Promise((resolve) => {
    emitter.once(event, resolve);
  });

const PATIENCE_MS = 120_000;

/** @param {() => Promise<boolean>} isSo */
async function until(isSo) {
  const endMs = performance.now() + PATIENCE_MS;
  while (!(await isSo())) {
    if (performance.now() > endMs) throw new Error("waited for two minutes in vain");
    await pause(20);
  }
}

/** @param {number} port @returns {Promise<boolean>} */
const answers = (port) =>
  new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.on("error", () => {
      resolve(false);
    });
    socket.on("connect", () => {
      socket.destroy();
      resolve(true);
    });
  });

/** @param {number} port */
async function storedBytes(port) {
  const socket = connect(port, "127.0.0.1");
  socket.end("stats\r\nquit\r\n");
  let text = "";
  for await (const piece of socket) text += String(piece);
  return Number(/STAT bytes (\d+)/.exec(text)?.[1]);
}

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}
