import { types } from "node:util";
import { CLOSE, isPublicName } from "../task/call.ts";

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

// Every lookup of every method asks; the answer for a class stays the same.
const BUILT_IN = new WeakMap<object, boolean>();

function isBuiltIn(prototype: object): boolean {
  let known = BUILT_IN.get(prototype);
  if (known === undefined) BUILT_IN.set(prototype, (known = isMadeByNode(prototype)));
  return known;
}

function isMadeByNode(prototype: object): boolean {
  if (prototype === Object.prototype) return true;
  const place = Object.getOwnPropertyDescriptor(prototype, "constructor");
  if (place?.get !== undefined) return true; // no class can be written so: it is Node's Module
  const maker: unknown = place?.value;
  if (typeof maker !== "function") return false;
  return isGlobal(maker) || isNative(maker) || isExportedByNode(maker.name, prototype);
}

/**
 * Node's own classes are written in JavaScript: nothing in their text tells them from the user's. A class that
 * somebody extends is of a module that is loaded; to load the others would cost every run their start.
 */
function isExportedByNode(name: string, prototype: object): boolean {
  return loadedModules().some((exported) => {
    const value = exported[name];
    // A class that is deprecated is exported within a function that warns: only the prototype is the same.
    return typeof value === "function" && value.prototype === prototype;
  });
}

type Exported = Readonly<Record<string, unknown>>;

const LOADED = "NativeModule ";
let loaded: { readonly ofEntries: number; readonly modules: readonly Exported[] } | undefined;

function loadedModules(): readonly Exported[] {
  const entries = (process as unknown as { readonly moduleLoadList: readonly string[] }).moduleLoadList;
  if (loaded?.ofEntries === entries.length) return loaded.modules;
  const modules = entries
    .filter((entry) => entry.startsWith(LOADED) && !entry.startsWith(`${LOADED}internal/`))
    .map((entry) => process.getBuiltinModule(`node:${entry.slice(LOADED.length)}`) as Exported | undefined)
    .filter((exported) => exported !== undefined);
  loaded = { ofEntries: entries.length, modules };
  return modules;
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
