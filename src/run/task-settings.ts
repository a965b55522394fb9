import { MemqError } from "../errors.ts";
import { durationMs } from "../task/duration.ts";
import type { HandlerClass } from "./reflection.ts";

/** What a class says of one of its methods in `static tasks`. */
export interface MethodSettings {
  readonly waitsMs?: readonly number[];
  readonly timeoutMs?: number;
}

/** The allow-list of `static tasks`; undefined when the class has none. */
export type TaskSettings = ReadonlyMap<string, MethodSettings>;

/**
 * Reads `static tasks = ["push"]` or `static tasks = { push: { retry: "1m, 5m", timeout: "30s" } }`.
 * @throws MemqError HANDLER_MISSING when it is neither.
 */
export function readTaskSettings(handler: HandlerClass, className: string): TaskSettings | undefined {
  const property = Object.getOwnPropertyDescriptor(handler, "tasks");
  if (property === undefined) return undefined;
  const declared: unknown = property.value;
  if (Array.isArray(declared)) return new Map(declared.map((name) => [String(name), {}]));
  if (typeof declared !== "object" || declared === null)
    throw malformed(className, "is no list and no object");
  return new Map(
    Object.entries(declared).map(([name, value]) => [name, readMethod(`${className}.${name}`, value)]),
  );
}

function readMethod(where: string, value: unknown): MethodSettings {
  if (value === true || value === null || value === undefined) return {};
  if (typeof value !== "object") throw malformed(where, "has settings that are no object");
  const { retry, timeout } = value as { retry?: unknown; timeout?: unknown };
  return {
    ...(retry !== undefined && { waitsMs: readWaits(where, retry) }),
    ...(timeout !== undefined && { timeoutMs: readDuration(where, timeout) }),
  };
}

function readWaits(where: string, retry: unknown): readonly number[] {
  if (retry === "none") return [];
  const waits: readonly unknown[] = Array.isArray(retry) ? retry : String(retry).split(",");
  return waits.map((wait) => readDuration(where, typeof wait === "string" ? wait.trim() : wait));
}

function readDuration(where: string, value: unknown): number {
  if (typeof value === "number" || typeof value === "string") return durationMs(value);
  throw malformed(where, "has a duration that is no text and no number");
}

const malformed = (where: string, what: string): MemqError =>
  new MemqError("HANDLER_MISSING", `static tasks of ${where} ${what}`);
