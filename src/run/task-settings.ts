import { MemqError, describeError } from "../errors.ts";
import { durationMs } from "../task/duration.ts";
import { nearest } from "../task/nearest.ts";
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
  const property = staticProperty(handler, "tasks");
  if (property === undefined) return undefined;
  const declared: unknown = property.value;
  if (Array.isArray(declared)) return new Map(declared.map((name) => [String(name), {}]));
  if (typeof declared !== "object" || declared === null)
    throw malformed(className, "is no list and no object");
  return new Map(
    Object.entries(declared).map(([name, value]) => [name, readMethod(`${className}.${name}`, value)]),
  );
}

/** Its own or that of the nearest base class: what a base class narrows stays narrow. */
function staticProperty(handler: HandlerClass, name: string): PropertyDescriptor | undefined {
  for (let maker: unknown = handler; typeof maker === "function"; maker = Object.getPrototypeOf(maker)) {
    const property = Object.getOwnPropertyDescriptor(maker, name);
    if (property !== undefined) return property;
  }
  return undefined;
}

const SETTINGS = ["retry", "timeout"];

function readMethod(where: string, value: unknown): MethodSettings {
  if (value === true || value === null || value === undefined) return {};
  if (typeof value !== "object") throw malformed(where, "has settings that are no object");
  const unknown = Object.keys(value).find((key) => !SETTINGS.includes(key));
  if (unknown !== undefined) throw malformed(where, `has an unknown setting "${unknown}"${hint(unknown)}`);
  const { retry, timeout } = value as { retry?: unknown; timeout?: unknown };
  return {
    ...(retry !== undefined && { waitsMs: readWaits(where, retry) }),
    ...(timeout !== undefined && { timeoutMs: readTimeout(where, timeout) }),
  };
}

function hint(key: string): string {
  const near = nearest(key, SETTINGS);
  return near === undefined ? ` (there are ${SETTINGS.join(" and ")})` : `, did you mean "${near}"?`;
}

function readWaits(where: string, retry: unknown): readonly number[] {
  if (retry === "none") return [];
  const waits: readonly unknown[] = typeof retry === "string" ? retry.split(",") : [retry].flat();
  return waits.map((wait) => readDuration(where, typeof wait === "string" ? wait.trim() : wait));
}

function readTimeout(where: string, timeout: unknown): number {
  const ms = readDuration(where, timeout);
  if (ms > 0) return ms;
  throw malformed(where, "has a timeout of 0");
}

function readDuration(where: string, value: unknown): number {
  if (typeof value !== "number" && typeof value !== "string")
    throw malformed(where, "has a duration that is no text and no number");
  try {
    return durationMs(value);
  } catch (cause) {
    throw malformed(where, `has a setting that is no duration: ${describeError(cause)}`);
  }
}

const malformed = (where: string, what: string): MemqError =>
  new MemqError("HANDLER_MISSING", `static tasks of ${where} ${what}`);
