import { AsyncLocalStorage } from "node:async_hooks";
import { MemqError } from "../errors.ts";

/** What a handler can know about the task it is working on. */
export interface TaskContext {
  readonly id: string;
  readonly queue: string;
  /** From 1. */
  readonly attempt: number;
  /** Aborted when the attempt's time is up or the run has to end. */
  readonly signal: AbortSignal;
  /** One line on the run's stderr, with the task's id. */
  readonly log: (line: string) => void;
  /**
   * Says how far the task is: `progress(3, 10)`, for `memq show`, `memq status` and whoever waits for it. It returns at once, keeps the
   * latest word of each fifth of a second, and never fails the task. What is no finite number from 0 on is not told, nor is a total that is
   * less than what is done; the log says so once in a run.
   */
  readonly progress: (done: number, total?: number) => void;
}

/** The context as the run sees it. */
export interface RunningTask extends TaskContext {
  /** Ends the attempt with this error, unless it has ended. */
  abort(error: Error): void;
}

/** Where handler code runs: for a task, or without one while an instance is made or closed. */
export interface HandlerContext {
  readonly queue: string;
  readonly running: RunningTask | undefined;
}

// A handler may import another copy of this package than the command that runs it: the store is
// shared through a registered symbol.
const STORE = Symbol.for("memq.task");

interface Shared {
  [STORE]: AsyncLocalStorage<HandlerContext> | undefined;
}

/** The context of the handler code that is running, carried along its async calls. */
export function contextStore(): AsyncLocalStorage<HandlerContext> {
  return ((globalThis as unknown as Shared)[STORE] ??= new AsyncLocalStorage<HandlerContext>());
}

/** The task that is being worked on. @throws MemqError USAGE outside a handler's method. */
export function task(): TaskContext {
  const running = contextStore().getStore()?.running;
  if (running === undefined) throw new MemqError("USAGE", "task() was called outside a handler's method");
  return running;
}
