import type { Listener } from "../telemetry/events.ts";
import { contextStore } from "./task-context.ts";
import { harmless, harmlessError } from "./thrown.ts";

/** A queue of the run, and who is told what happens to it. */
export interface Told {
  readonly queue: string;
  readonly tell: Listener;
}

// Whoever catches what comes after the tasks keeps still as long as somebody catches what comes beside them.
let catching = 0;

/**
 * Errors that a handler lets loose where nobody awaits them (a timer's callback, a forgotten promise)
 * would end the process and everything it holds. They are told instead, and fail the attempt that let them
 * loose if it is still under way.
 * @returns what ends the catching.
 */
export function catchStrays(queues: readonly Told[]): () => void {
  const catchOne = (thrown: unknown): void => {
    const context = contextStore().getStore();
    const owner = queues.find(({ queue }) => queue === context?.queue) ?? queues[0];
    context?.running?.abort(harmlessError(thrown));
    owner?.tell({ kind: "stray", queue: owner.queue, error: harmless(thrown) });
  };
  catching++;
  process.on("uncaughtException", catchOne);
  process.on("unhandledRejection", catchOne);
  return () => {
    catching--;
    process.off("uncaughtException", catchOne);
    process.off("unhandledRejection", catchOne);
  };
}

/**
 * Errors that handlers left behind, once nobody else catches them: until the process ends they are told to
 * `tell`, and change nothing else.
 * @returns what ends the catching.
 */
export function catchLateStrays(tell: (error: unknown) => void): () => void {
  const catchOne = (thrown: unknown): void => {
    if (catching === 0) tell(harmless(thrown));
  };
  process.on("uncaughtException", catchOne);
  process.on("unhandledRejection", catchOne);
  return () => {
    process.off("uncaughtException", catchOne);
    process.off("unhandledRejection", catchOne);
  };
}
