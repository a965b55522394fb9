import { types } from "node:util";
import { describeError } from "../errors.ts";

/**
 * The thrown value itself where everybody may look at it, else an error in its place: a proxy, or a getter
 * that throws, would harm whoever reports it.
 */
export function harmless(thrown: unknown): unknown {
  if ((typeof thrown !== "object" && typeof thrown !== "function") || thrown === null) return thrown;
  return isReadable(thrown) ? thrown : new Error(describeError(thrown));
}

/** The same, as the error that it is or stands for. */
export function harmlessError(thrown: unknown): Error {
  const value = harmless(thrown);
  return value instanceof Error ? value : new Error(describeError(value));
}

function isReadable(thrown: object): boolean {
  if (types.isProxy(thrown)) return false;
  try {
    if (!(thrown instanceof Error)) return typeof JSON.stringify(thrown) === "string";
    return [thrown.name, thrown.message, thrown.stack ?? ""].every((text) => typeof text === "string");
  } catch {
    return false;
  }
}
