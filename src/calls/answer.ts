import { MemqError } from "../errors.ts";
import type { Broker } from "../ports/broker.ts";
import type { Clock } from "../ports/clock.ts";
import type { TaskEnd } from "../ports/results.ts";
import { PUBLISH_OPTIONS } from "../publish/draft.ts";
import { durationMs, formatDuration } from "../task/duration.ts";
import { assertKnownNames } from "../task/known-names.ts";
import type { Progress } from "../task/result.ts";
import type { Json, TaskRecord } from "../task/task.ts";

/** How to wait for the result of a task. */
export interface AwaitOptions {
  /** How long, in ms or as a duration. Default "30s". Within a handler: another consumer has to be there to run it. */
  readonly wait?: number | string;
  /** Told how far the task says it is, when that has changed; looked at four times a second. */
  readonly onProgress?: (progress: Progress) => void;
}

/** What waiting works with. */
export interface Waiting {
  readonly broker: Broker;
  readonly clock: Clock;
}

const DEFAULT_WAIT = "30s";

const AWAIT_OPTIONS: Readonly<Record<keyof AwaitOptions, true>> = { wait: true, onProgress: true };

const AWAIT_OPTION_NAMES: ReadonlySet<string> = new Set(Object.keys(AWAIT_OPTIONS));
const CALL_OPTION_NAMES: ReadonlySet<string> = new Set([...AWAIT_OPTION_NAMES, "queue", ...PUBLISH_OPTIONS]);

/** Refuses an option that a call does not have. @throws MemqError USAGE */
export const assertCallOptions = (options: object): void => {
  assertKnownNames(options, CALL_OPTION_NAMES, "option");
};

/** The time of a wait, in ms. @throws MemqError ARGS_INVALID, USAGE for an option that there is not */
export function waitMs(options: AwaitOptions): number {
  assertKnownNames(options, AWAIT_OPTION_NAMES, "option");
  const { wait = DEFAULT_WAIT } = options;
  const ms = durationMs(wait);
  if (ms > 0) return ms;
  throw new MemqError("ARGS_INVALID", "a wait is longer than 0");
}

// Who waits may be a second late on another host, and clocks differ.
const KEPT_BEYOND_MS = 10_000;

/** How long a result that is waited for is kept from the end of its task on, in ms. @throws MemqError ARGS_INVALID */
export const keepFor = (options: AwaitOptions): number => waitMs(options) + KEPT_BEYOND_MS;

/**
 * What the task returned, once it is done; undefined when that is nothing.
 * @throws MemqError TASK_FAILED with the words of its last error, TASK_GONE, RESULT_OMITTED; WAIT_TIMEOUT: then the
 * task is left alone.
 */
export async function answerOf(
  { broker, clock }: Waiting,
  id: string,
  options: AwaitOptions,
): Promise<Json | undefined> {
  const forMs = waitMs(options);
  assertId(id);
  const over = new AbortController();
  try {
    const waiting = broker.results.wait([id], clock.now() + forMs, over.signal);
    const { onProgress } = options;
    const watching =
      onProgress === undefined
        ? undefined
        : watchProgress({ broker, clock }, { id, onProgress, signal: over.signal });
    const [end] = await Promise.race([waiting, failureOf(watching)]);
    if (end === undefined) throw timedOut(id, forMs, await lastSeen({ broker, clock }, id));
    return valueOf(end);
  } finally {
    over.abort();
  }
}

// Plain JavaScript can pass anything, and each broker would stumble over it in its own way.
function assertId(id: unknown): void {
  if (typeof id !== "string" || id === "")
    throw new MemqError("ARGS_INVALID", `the id of a task is a text, not ${id === "" ? "empty" : typeof id}`);
}

/** The value of a task that is done. @throws MemqError for every other end. */
export function valueOf(end: TaskEnd): Json | undefined {
  switch (end.kind) {
    case "done":
      if (end.omitted === undefined) return end.value;
      throw new MemqError("RESULT_OMITTED", `task ${end.id} is done, but ${end.omitted}`);
    case "dead":
      throw new MemqError("TASK_FAILED", end.reason);
    case "gone":
      throw new MemqError("TASK_GONE", `task ${end.id} is not there any more, and left no result`);
  }
}

// The wait is over: where the task is by now is worth no second one.
const LAST_LOOK_MS = 500;

/** "silent": nobody answers, which is no reason to wait longer. */
async function lastSeen({ broker, clock }: Waiting, id: string): Promise<TaskRecord | "silent" | undefined> {
  const over = new AbortController();
  const late = clock.until(clock.now() + LAST_LOOK_MS, over.signal).then(() => "silent" as const);
  try {
    return await Promise.race([broker.find(id).catch(() => "silent" as const), late]);
  } finally {
    over.abort();
  }
}

/** What is told of a task that has not ended in time. */
export function timedOut(id: string, forMs: number, seen: TaskRecord | "silent" | undefined): MemqError {
  const so = `task ${id} has not ended within ${formatDuration(forMs)}`;
  if (seen === undefined) return new MemqError("WAIT_TIMEOUT", so);
  const where =
    seen === "silent" ? "nobody knows where it is, as its queue does not answer" : whereText(seen);
  return new MemqError("WAIT_TIMEOUT", `${so}: ${where}`);
}

function whereText({ state, attempts, error }: TaskRecord): string {
  const said = error === undefined ? "" : `, after it failed with: ${error}`;
  switch (state) {
    case "waiting":
      return `it waits to be run${said}`;
    case "delayed":
      return attempts === 0 ? "it is delayed" : `it is to be tried again${said}`;
    case "running":
      return `it is running${said}`;
    case "dead":
      return "it has become a dead letter just now";
  }
}

const PROGRESS_GAP_MS = 250;

interface Watch {
  readonly id: string;
  readonly onProgress: (progress: Progress) => void;
  readonly signal: AbortSignal;
}

async function watchProgress({ broker, clock }: Waiting, { id, onProgress, signal }: Watch): Promise<void> {
  let toldAt = -Infinity;
  while (!signal.aborted) {
    const progress = await broker.results.progress([id]).then((all) => all.get(id), ignoreMissed);
    if (progress !== undefined && progress.at > toldAt && !isAborted(signal)) {
      toldAt = progress.at;
      onProgress(progress);
    }
    await clock.until(clock.now() + PROGRESS_GAP_MS, signal);
  }
}

const isAborted = ({ aborted }: AbortSignal): boolean => aborted;

const ignoreMissed = (): undefined => undefined; // a broker that is away is told by the wait itself

/** Rejects as the watch does; never resolves. */
async function failureOf(watching: Promise<void> | undefined): Promise<never> {
  await watching;
  return new Promise(() => undefined);
}
