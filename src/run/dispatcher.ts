import type { Claim } from "../ports/broker.ts";
import { MemqError, describeError } from "../errors.ts";
import { formatDuration } from "../task/duration.ts";
import type { Registry, Target } from "./registry.ts";
import { contextStore, type RunningTask } from "./task-context.ts";

/** What a handler did with a task. */
export type Ending =
  | { readonly kind: "returned"; readonly value: unknown }
  | { readonly kind: "threw"; readonly thrown: unknown };

/** A call under way. `abort` tells the handler through its signal; `ending` is there at once when it was synchronous. */
export interface Dispatched {
  readonly ending: Ending | Promise<Ending>;
  abort(reason: Error): void;
}

/** Calls handler methods by reflection, one instance per class and run. */
export class Dispatcher {
  readonly #registry: Registry;
  readonly #queue: string;
  readonly #say: (line: string) => void;
  readonly #instances = new Map<string, object>();

  constructor(registry: Registry, queue: string, say: (line: string) => void) {
    this.#registry = registry;
    this.#queue = queue;
    this.#say = say;
  }

  /** The method a task calls, or why there is none. */
  target(className: string, method: string): Target | string {
    return this.#registry.target(className, method);
  }

  /** Makes the instance of a class now. @throws MemqError HANDLER_MISSING when its constructor throws. */
  prepare(className: string): void {
    const handler = this.#registry.handler(className);
    if (handler === undefined)
      throw new MemqError("HANDLER_MISSING", `there is no handler class "${className}"`);
    try {
      this.#instance(className, handler);
    } catch (cause) {
      throw new MemqError("HANDLER_MISSING", `new ${className}() failed: ${describeError(cause)}`, { cause });
    }
  }

  /** Calls the method with exactly the published arguments. `timeoutMs` ends the attempt, not the handler. */
  dispatch(claim: Claim, target: Target, timeoutMs: number): Dispatched {
    const context = new RunningContext(claim, this.#queue, this.#say);
    const called = this.#call(context, claim, target);
    const ending = called.kind === "pending" ? settleWithin(called.value, context, timeoutMs) : called;
    return {
      ending,
      abort: (reason) => {
        context.abort(reason);
      },
    };
  }

  /** Awaits `[Symbol.asyncDispose]` or `close` of every instance; what one throws is passed to `report`. */
  async close(report: (error: unknown) => void): Promise<void> {
    for (const instance of this.#instances.values()) {
      try {
        await dispose(instance);
      } catch (error) {
        report(error);
      }
    }
    this.#instances.clear();
  }

  #call(context: RunningContext, claim: Claim, target: Target): Ending | Pending {
    try {
      const instance = this.#instance(target.className, target.handler);
      const value = contextStore().run(context, () =>
        Reflect.apply(target.method, instance, claim.task.args),
      );
      return isThenable(value) ? { kind: "pending", value } : { kind: "returned", value };
    } catch (thrown) {
      return { kind: "threw", thrown };
    }
  }

  #instance(className: string, handler: Target["handler"]): object {
    const known = this.#instances.get(className);
    if (known !== undefined) return known;
    const instance = new handler();
    this.#instances.set(className, instance);
    return instance;
  }
}

class RunningContext implements RunningTask {
  readonly id: string;
  readonly queue: string;
  readonly attempt: number;
  readonly log: (line: string) => void;
  #controller: AbortController | undefined;
  #aborted: Error | undefined;
  #interrupt: ((reason: Error) => void) | undefined;

  constructor(claim: Claim, queue: string, say: (line: string) => void) {
    this.id = claim.task.id;
    this.queue = queue;
    this.attempt = claim.attempt;
    this.log = (line) => {
      say(`${claim.task.id}: ${line}`);
    };
  }

  // Made on demand: most handlers never look at it.
  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.#aborted !== undefined) this.#controller.abort(this.#aborted);
    return this.#controller.signal;
  }

  /** `interrupt` is called once, when the attempt is aborted. */
  onAbort(interrupt: (reason: Error) => void): void {
    this.#interrupt = interrupt;
  }

  abort(reason: Error): void {
    if (this.#aborted !== undefined) return;
    this.#aborted = reason;
    this.#controller?.abort(reason);
    this.#interrupt?.(reason);
  }
}

/** The ending of an asynchronous call, or the abort that came first. */
function settleWithin(
  value: PromiseLike<unknown>,
  context: RunningContext,
  timeoutMs: number,
): Promise<Ending> {
  return new Promise((resolve) => {
    const end = (ending: Ending): void => {
      clearTimeout(timer);
      resolve(ending);
    };
    const timer = setTimeout(
      () => {
        context.abort(new Error(`timed out after ${formatDuration(timeoutMs)}`));
      },
      Math.min(timeoutMs, MAX_TIMER_MS),
    );
    context.onAbort((thrown) => {
      end({ kind: "threw", thrown });
    });
    value.then(
      (result) => {
        end({ kind: "returned", value: result });
      },
      (thrown: unknown) => {
        end({ kind: "threw", thrown });
      },
    );
  });
}

const MAX_TIMER_MS = 2 ** 31 - 1; // what setTimeout can take

interface Pending {
  readonly kind: "pending";
  readonly value: PromiseLike<unknown>;
}

const isThenable = (value: unknown): value is PromiseLike<unknown> =>
  typeof value === "object" && value !== null && typeof (value as { then?: unknown }).then === "function";

async function dispose(instance: object): Promise<void> {
  const closing = instance as { [Symbol.asyncDispose]?: unknown; close?: unknown };
  const close = closing[Symbol.asyncDispose] ?? closing.close;
  if (typeof close === "function") await Reflect.apply(close, instance, []);
}
