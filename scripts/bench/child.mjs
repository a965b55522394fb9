// Processes that the benchmark starts. None of them outlives it.
import { spawn } from "node:child_process";
import { setTimeout as pause } from "node:timers/promises";
import { until } from "./waiting.mjs";

/** @typedef {import("node:child_process").ChildProcess} ChildProcess */
/** @typedef {{ cwd: string, env?: NodeJS.ProcessEnv, timeoutMs?: number }} Circumstances */

const PATIENCE_MS = 120_000;
const LATE = "late";
const SHOWN_CHARS = 600;
const KEPT_CHARS = 65_536; // a server may talk for minutes

/** @param {{ error: string }} said */
const shown = ({ error }) => error.trim().slice(-SHOWN_CHARS);

/** @param {string} text */
const tail = (text) => text.slice(-KEPT_CHARS);

/** @type {Set<ChildProcess>} */
const running = new Set();
process.on("exit", () => {
  for (const child of running) killAll(child);
});

/**
 * A process that leads a group of its own: what it starts itself ends with it.
 * @param {string} file
 * @param {readonly string[]} args
 * @param {Circumstances & { input?: boolean }} circumstances `input`: it gets a standard input
 */
export function started(file, args, { cwd, env = process.env, input = false }) {
  const child = spawn(file, args, {
    cwd,
    env,
    detached: true,
    stdio: [input ? "pipe" : "ignore", "pipe", "pipe"],
  });
  running.add(child);
  const said = { out: "", error: "", isOver: false };
  child.stdin?.on("error", () => undefined); // it ended before it was spoken to; how, its end tells
  child.stdout?.setEncoding("utf8").on("data", (text) => (said.out = tail(said.out + String(text))));
  child.stderr?.setEncoding("utf8").on("data", (text) => (said.error = tail(said.error + String(text))));
  /** @type {Promise<number | string>} */
  const end = new Promise((resolve) => {
    child.once("error", (error) => {
      resolve(error.message);
    });
    child.once("close", (code, signal) => {
      resolve(code ?? signal ?? "?");
    });
  });
  void end.then(() => {
    said.isOver = true;
    running.delete(child);
  });
  return { child, said, end };
}

/** @typedef {ReturnType<typeof started>} Started */

/** Waits until it says a word. @param {Started} started @param {string} word @throws when it ends without */
export async function heard({ said, child }, word) {
  await until(`a process says "${word}"`, () => said.isOver || said.out.includes(word));
  if (said.out.includes(word)) return;
  throw new Error(`a process ended with ${String(child.exitCode)}: ${shown(said)}`);
}

/** Ends it and all that it started, and waits for that. @param {Started} process */
export async function killed({ child, end }) {
  killAll(child);
  await end;
}

/**
 * Waits for the end of a process.
 * @param {string} file
 * @param {readonly string[]} args
 * @param {Circumstances} circumstances `timeoutMs`: default two minutes
 * @returns {Promise<{ ms: number, out: string }>}
 * @throws when it fails or takes longer
 */
export async function ended(file, args, circumstances) {
  const beganMs = performance.now();
  const process = started(file, args, circumstances);
  await succeeded(process, circumstances.timeoutMs);
  return { ms: performance.now() - beganMs, out: process.said.out };
}

/** @param {Started} started @param {number} [timeoutMs] @throws when it fails or takes longer */
export async function succeeded(started, timeoutMs = PATIENCE_MS) {
  const code = await Promise.race([started.end, pause(timeoutMs, LATE, { ref: false })]);
  if (code === 0) return;
  if (code !== LATE) {
    throw new Error(`a process ended with ${String(code)}: ${shown(started.said)}`);
  }
  await killed(started);
  throw new Error(`not done within ${String(timeoutMs / 1_000)} s`);
}

/** @param {ChildProcess} child */
function killAll(child) {
  if (child.pid === undefined || !running.has(child)) return; // it never started, or its number may be another's
  try {
    process.kill(-child.pid, "SIGKILL");
  } catch {
    // it and all that it started have ended
  }
}
