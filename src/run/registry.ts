import { basename, extname } from "node:path";
import { MemqError } from "../errors.ts";
import { CLOSE } from "../task/call.ts";
import { nearest } from "../task/nearest.ts";
import { findHandlerFiles, importHandlerFile, type HandlerFile, type HandlerPlace } from "./handler-files.ts";
import {
  findMethod,
  isHandlerClass,
  methodNames,
  type HandlerClass,
  type HandlerMethod,
} from "./reflection.ts";
import { readTaskSettings, type MethodSettings, type TaskSettings } from "./task-settings.ts";

/** A method that a task may call, with the class it belongs to. */
export interface Target {
  readonly className: string;
  readonly handler: HandlerClass;
  readonly method: HandlerMethod;
  readonly settings: MethodSettings;
}

interface Registered {
  readonly handler: HandlerClass;
  readonly tasks: TaskSettings | undefined;
  /** What was looked up before: the same few methods are called over and over. */
  readonly targets: Map<string, Target>;
}

/** The allow-list of one queue: the handler classes that were registered, and nothing else. */
export class Registry {
  readonly #classes = new Map<string, Registered>();

  get classNames(): readonly string[] {
    return [...this.#classes.keys()].sort();
  }

  /** @throws MemqError HANDLER_MISSING when another class has that name, or its `static tasks` are no allow-list. */
  add(className: string, handler: HandlerClass): void {
    const known = this.#classes.get(className)?.handler;
    if (known !== undefined && known !== handler) {
      throw new MemqError("HANDLER_MISSING", `two handler classes are called "${className}"`);
    }
    const tasks = readTaskSettings(handler, className);
    for (const name of tasks?.keys() ?? []) assertMethod(className, handler, name);
    this.#classes.set(className, { handler, tasks, targets: new Map() });
  }

  handler(className: string): HandlerClass | undefined {
    return this.#classes.get(className)?.handler;
  }

  /** The names of the methods of a class that tasks may call. */
  methods(className: string): readonly string[] {
    const found = this.#classes.get(className);
    if (found === undefined) return [];
    return methodNames(found.handler).filter((name) => found.tasks?.has(name) ?? true);
  }

  /** The method to call, or why there is none, with a "did you mean". */
  target(className: string, method: string): Target | string {
    const found = this.#classes.get(className);
    if (found === undefined)
      return `there is no handler class "${className}"${hint(className, this.classNames)}`;
    const known = found.targets.get(method) ?? findTarget(found, className, method);
    if (known === undefined) return this.#whyNone(found, className, method);
    found.targets.set(method, known);
    return known;
  }

  #whyNone({ handler }: Registered, className: string, method: string): string {
    if (method === CLOSE) return `"${CLOSE}" is what a run calls at its end, and never a task`;
    if (findMethod(handler, method) !== undefined)
      return `class "${className}" does not list "${method}" in its static tasks`;
    return `class "${className}" has no method "${method}"${hint(method, this.methods(className))}`;
  }
}

function findTarget({ handler, tasks }: Registered, className: string, name: string): Target | undefined {
  const method = tasks?.has(name) === false ? undefined : findMethod(handler, name);
  return method && { className, handler, method, settings: tasks?.get(name) ?? {} };
}

/** A misspelt name in the list would keep the right one from being called. */
function assertMethod(className: string, handler: HandlerClass, name: string): void {
  if (findMethod(handler, name) !== undefined) return;
  throw new MemqError(
    "HANDLER_MISSING",
    `static tasks of ${className}: there is no method "${name}"${hint(name, methodNames(handler))}`,
  );
}

function hint(word: string, candidates: readonly string[]): string {
  const near = nearest(word, candidates);
  return near === undefined ? "" : `, did you mean "${near}"?`;
}

/**
 * Loads the handlers of a queue.
 * @throws MemqError HANDLER_MISSING when a file cannot be loaded, two classes have one name, or the
 * queue's own class is not among them.
 */
export async function loadRegistry(place: HandlerPlace): Promise<Registry> {
  const registry = new Registry();
  for (const path of findHandlerFiles(place)) addFile(registry, await importHandlerFile(path));
  assertHas(registry, place.className);
  return registry;
}

/** The registry of classes given as an object. @throws MemqError HANDLER_MISSING */
export function registryOf(handlers: Readonly<Record<string, unknown>>, className: string): Registry {
  const registry = new Registry();
  for (const [name, handler] of Object.entries(handlers)) {
    if (!isHandlerClass(handler)) throw new MemqError("HANDLER_MISSING", `handler "${name}" is no class`);
    registry.add(name, handler);
  }
  assertHas(registry, className);
  return registry;
}

function addFile(registry: Registry, file: HandlerFile): void {
  for (const [name, value] of Object.entries(file.exports)) {
    if (!isHandlerClass(value)) continue;
    try {
      registry.add(name === "default" ? defaultName(value, file.path) : name, value);
    } catch (error) {
      if (!(error instanceof MemqError)) throw error;
      throw new MemqError(error.code, `${file.path}: ${error.message}`, { cause: error });
    }
  }
}

/** A default export goes by its class name; a class without one by its file's. */
function defaultName(handler: HandlerClass, path: string): string {
  return handler.name === "" || handler.name === "default" ? basename(path, extname(path)) : handler.name;
}

function assertHas(registry: Registry, className: string): void {
  if (registry.handler(className) !== undefined) return;
  const there = registry.classNames.length === 0 ? "none" : registry.classNames.join(", ");
  throw new MemqError(
    "HANDLER_MISSING",
    `classname = ${className} is not among the handler classes (${there})${hint(className, registry.classNames)}`,
  );
}
