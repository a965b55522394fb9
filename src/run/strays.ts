import { describeError } from "../errors.ts";
import { contextStore } from "./task-context.ts";
import type { QueueRun } from "./run.ts";

/**
 * Errors that a handler lets loose where nobody awaits them (a timer's callback, a forgotten promise)
 * would end the process and everything it holds. They are told instead, with the task if it is known.
 * @returns what ends the catching.
 */
export function catchStrays(queues: readonly QueueRun[]): () => void {
  const catchOne = (error: unknown): void => {
    const context = contextStore().getStore();
    const owner = queues.find(({ queue }) => queue === context?.queue) ?? queues[0];
    context?.abort(error instanceof Error ? error : new Error(describeError(error)));
    owner?.tell({ kind: "stray", queue: owner.queue, error });
  };
  process.on("uncaughtException", catchOne);
  process.on("unhandledRejection", catchOne);
  return () => {
    process.off("uncaughtException", catchOne);
    process.off("unhandledRejection", catchOne);
  };
}
