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
}

/** The context as the run sees it. */
export interface RunningTask extends TaskContext {
  /** Ends the attempt with this error, unless it has ended. */
  abort(error: Error): void;
}

// A handler may import another copy of this package than the command that runs it: the store is
// shared through a registered symbol.
const STORE = Symbol.for("memq.task");

interface Shared {
  [STORE]: AsyncLocalStorage<RunningTask> | undefined;
}

/** The running task's context, carried along its async calls. */
export function contextStore(): AsyncLocalStorage<RunningTask> {
  return ((globalThis as unknown as Shared)[STORE] ??= new AsyncLocalStorage<RunningTask>());
}

/** The task that is being worked on. @throws MemqError USAGE outside a handler. */
export function task(): TaskContext {
  const context = contextStore().getStore();
  if (context === undefined) throw new MemqError("USAGE", "task() was called outside a handler");
  return context;
}
