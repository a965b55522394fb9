import { spawn, type ChildProcess } from "node:child_process";
import { describeError } from "../errors.ts";
import type { Obituary, RiskyTask } from "../host/obituaries.ts";
import type { WorkerEnd, WorkerProcess } from "../run/supervisor.ts";
import type { Io } from "./io.ts";
import { formatDuration } from "../task/duration.ts";
import { LastLines } from "./last-lines.ts";
import { scriptPath } from "./package-files.ts";
import { readMessage, WORKER_VARIABLE, type FromWorker, type ToWorker } from "./worker-messages.ts";

/** How a worker's process is started. */
export interface WorkerStart {
  readonly args: readonly string[];
  readonly io: Pick<Io, "cwd" | "env">;
  /** Whole lines of its stderr, with their line ends. */
  readonly stderr: (text: string) => void;
  /** Told of the memory that it takes when its handlers are loaded and it has run nothing. */
  readonly tookMemory: (bytes: number) => void;
  /** Told of each task that was running, and may have ended it, when it died. */
  readonly died: (task: RiskyTask, obituary: Obituary) => void;
}

/** The worker's process, for who knows more about its end than the system. */
export interface StartedWorker extends WorkerProcess {
  readonly pid: number | undefined;
  /** Says that its handler did not come back: it is about to be ended. */
  isStuck(): void;
}

/** Starts a worker in a process of its own, with this process's stdout. */
export function startWorker({ args, io, stderr, tookMemory, died }: WorkerStart): StartedWorker {
  const child = spawn(process.execPath, [scriptPath("memq"), ...args], {
    cwd: io.cwd(),
    env: { ...io.env, [WORKER_VARIABLE]: String(process.pid) },
    stdio: ["ignore", "inherit", "pipe", "ipc"],
    // Ctrl-C at a terminal goes to a whole group: the worker would get it twice, and twice means at once.
    detached: true,
  });
  const tail = new LastLines();
  relayLines(child, (text) => {
    tail.add(text);
    stderr(text);
  });
  const risks = risksOf(child);
  child.on("message", (message: unknown) => {
    const told = readMessage(message);
    if (told?.memq === "ready") tookMemory(told.memoryBytes);
  });
  let isStuck = false;
  child.on("exit", (code, signal) => {
    const end = endText(code, signal);
    if (code === 0) return;
    void heardOut(child).then(() => {
      for (const { task, timeoutMs } of risks.values())
        died(task, { how: isStuck ? `${end}, ${stuckText(timeoutMs)}` : end, stderr: tail.text });
    });
  });
  // One that has just died needs no word.
  const tell = (message: ToWorker): boolean => child.connected && child.send(message, () => undefined);
  return {
    pid: child.pid,
    isStuck: () => (isStuck = true),
    name: child.pid === undefined ? "a worker" : `worker ${String(child.pid)}`,
    ready: heard(child, "ready"),
    begun: begunOf(child),
    leaving: heard(child, "leaving"),
    ended: endOf(child),
    leave: () => void tell({ memq: "leave" }),
    stop: () => void tell({ memq: "stop" }),
    kill: () => void child.kill("SIGKILL"),
  };
}

const heard = (child: ChildProcess, word: FromWorker["memq"]): Promise<void> =>
  new Promise((resolve) => {
    child.on("message", (message: unknown) => {
      if (readMessage(message)?.memq === word) resolve();
    });
  });

const begunOf = (child: ChildProcess): Promise<readonly string[]> =>
  new Promise((resolve) => {
    child.on("message", (message: unknown) => {
      const told = readMessage(message);
      if (told?.memq === "begun") resolve(told.lacks);
    });
  });

// Its last words are in the pipe when it ends. What it has started may hold the pipe open for hours.
const HEARD_OUT_MS = 300;

/** Resolves when nothing more is to be heard from a process that has ended, or before long. */
const heardOut = (child: ChildProcess): Promise<void> =>
  new Promise((resolve) => {
    const tooLong = setTimeout(resolve, HEARD_OUT_MS);
    child.once("close", () => {
      clearTimeout(tooLong);
      resolve();
    });
  });

function endOf(child: ChildProcess): Promise<WorkerEnd> {
  return new Promise((resolve) => {
    child.on("error", (error) => {
      if (child.pid === undefined)
        resolve({ code: null, how: `it could not be started: ${describeError(error)}` });
    });
    child.on("exit", (code, signal) => {
      resolve({ code, how: endText(code, signal) });
    });
  });
}

// A line without an end must not fill the memory.
const MOST_LINE = 64 * 1_024;

/** Lines of several workers do not mix. */
function relayLines({ stderr }: ChildProcess, write: (text: string) => void): void {
  let begun = "";
  stderr?.setEncoding("utf8").on("data", (text: string) => {
    const whole = begun + text;
    const end = whole.length > MOST_LINE ? whole.length : whole.lastIndexOf("\n") + 1;
    if (end > 0) write(whole.slice(0, end));
    begun = whole.slice(end);
  });
  stderr?.on("end", () => {
    if (begun !== "") write(`${begun}\n`);
  });
}

const endText = (code: number | null, signal: NodeJS.Signals | null): string =>
  signal ?? `exit ${String(code)}`;

const stuckText = (timeoutMs: number): string =>
  `as its handler did not come back within its timeout of ${formatDuration(timeoutMs)}`;

interface Risk {
  readonly task: RiskyTask;
  readonly timeoutMs: number;
}

/** The tasks that are running and whose attempt may be their last. */
function risksOf(child: ChildProcess): ReadonlyMap<string, Risk> {
  const risks = new Map<string, Risk>();
  child.on("message", (message: unknown) => {
    const told = readMessage(message);
    if (told?.memq !== "risks" && told?.memq !== "survived") return;
    const { queue, id } = told;
    const name = JSON.stringify([queue, id]);
    if (told.memq === "risks") risks.set(name, { task: { queue, id }, timeoutMs: told.timeoutMs });
    else risks.delete(name);
  });
  return risks;
}
