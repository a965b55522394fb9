import { EventEmitter } from "node:events";
import { Duplex, PassThrough, Readable, Stream, Transform, Writable } from "node:stream";
import { types } from "node:util";
import { isPublicName } from "../task/call.ts";

/** A handler class as the user wrote it. */
export type HandlerClass = new () => object;

/** A method that may be called, found without touching an instance. */
export type HandlerMethod = (this: object, ...args: readonly unknown[]) => unknown;

const FUNCTION_TEXT = (value: object): string => Function.prototype.toString.call(value);

/** Whether an exported value is a class whose methods can be tasks. */
export function isHandlerClass(value: unknown): value is HandlerClass {
  if (typeof value !== "function") return false;
  if (/^class\b/.test(FUNCTION_TEXT(value))) return true;
  const prototype: unknown = (value as { prototype?: unknown }).prototype;
  // Classes written as functions, and those of compilers, carry their methods on the prototype.
  return (
    typeof prototype === "object" && prototype !== null && Object.getOwnPropertyNames(prototype).length > 1
  );
}

/** What a run awaits at its end: a task that called it would close the instance under the other tasks' feet. */
export const CLOSE = "close";

/**
 * The method of that name which may be called: a public method of the class or of one of the user's own
 * base classes. Accessors are not read, statics and fields are not looked at, and the nearest definition
 * counts: a getter hides a base method of its name. `close` is the run's to call, and never a task.
 */
export function findMethod(handler: HandlerClass, name: string): HandlerMethod | undefined {
  if (!isPublicName(name) || name === CLOSE) return undefined;
  for (const prototype of ownPrototypes(handler)) {
    const property = Object.getOwnPropertyDescriptor(prototype, name);
    if (property === undefined) continue;
    const value: unknown = property.value;
    return isCallable(value) ? value : undefined;
  }
  return undefined;
}

/** The names of all methods that may be called. */
export function methodNames(handler: HandlerClass): readonly string[] {
  const names = new Set<string>();
  for (const prototype of ownPrototypes(handler)) {
    for (const name of Object.getOwnPropertyNames(prototype)) names.add(name);
  }
  return [...names].filter((name) => findMethod(handler, name) !== undefined).sort();
}

/** The class's prototype and those of its base classes, up to the first that is not the user's. */
function* ownPrototypes(handler: HandlerClass): Generator<object> {
  let prototype: unknown = handler.prototype;
  while (typeof prototype === "object" && prototype !== null && !isBuiltIn(prototype)) {
    yield prototype;
    prototype = Object.getPrototypeOf(prototype);
  }
}

// Node's own classes are written in JavaScript: nothing in their text tells them from the user's.
// Streams are loaded when this is first asked: an empty run has no class to look at.
const isNodeClass = (maker: unknown): boolean =>
  [EventEmitter, Stream, Readable, Writable, Duplex, Transform, PassThrough].some((own) => own === maker);

function isBuiltIn(prototype: object): boolean {
  if (prototype === Object.prototype) return true;
  const maker: unknown = Object.getOwnPropertyDescriptor(prototype, "constructor")?.value;
  if (typeof maker !== "function") return false;
  return isNodeClass(maker) || isGlobal(maker) || isNative(maker);
}

/** EventTarget, Request and the like; what a user puts there is enumerable. */
function isGlobal(maker: object & { readonly name: string }): boolean {
  const place = Object.getOwnPropertyDescriptor(globalThis, maker.name);
  return place?.enumerable === false && (globalThis as Record<string, unknown>)[maker.name] === maker;
}

const isNative = (maker: object): boolean => /\{\s*\[native code\]\s*\}$/.test(FUNCTION_TEXT(maker));

/** A generator's body would not run when it is called: the task would be done without having done anything. */
const isCallable = (value: unknown): value is HandlerMethod =>
  typeof value === "function" && !isConstructor(value) && !types.isGeneratorFunction(value);

const isConstructor = (value: object): boolean => /^class\b/.test(FUNCTION_TEXT(value));
