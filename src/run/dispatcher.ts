import { MemqError, describeError } from "../errors.ts";
import type { Claim } from "../ports/broker.ts";
import { MAX_TIMER_MS } from "../ports/clock.ts";
import { formatDuration } from "../task/duration.ts";
import type { Task } from "../task/task.ts";
import type { Registry, Target } from "./registry.ts";
import { RunningCall, type CallPlace } from "./running-call.ts";
import { contextStore, type HandlerContext } from "./task-context.ts";
import { harmless } from "./thrown.ts";
import { within } from "./within.ts";

/** What a handler did with a task. What it threw can be looked at without harm. */
export type Ending =
  | { readonly kind: "returned"; readonly value: unknown }
  | { readonly kind: "threw"; readonly thrown: unknown };

/** A call under way. `abort` tells the handler through its signal; `ending` is there at once when it was synchronous. */
export interface Dispatched {
  /** The promise never rejects. */
  readonly ending: Ending | Promise<Ending>;
  abort(reason: Error): void;
}

/** Told of calls of handlers, whatever becomes of their attempts: one that was timed out may go on for ever. */
export interface CallWatch {
  /** Called right before the handler is. What is answered is called when the handler has ended. */
  begins(task: Task, timeoutMs: number): () => void;
}

/** What a dispatcher needs to know besides the handlers. */
export interface DispatcherPlace extends CallPlace {
  readonly watch?: CallWatch | undefined;
}

// Closing is flushing and disconnecting; whoever needs longer would keep cron waiting for ever.
const CLOSE_MS = 10_000;

/** Calls handler methods by reflection, one instance per class and run. */
export class Dispatcher {
  readonly #registry: Registry;
  readonly #place: DispatcherPlace;
  readonly #instances = new Map<string, object>();
  readonly #store = contextStore();
  readonly #noTask: HandlerContext;

  constructor(registry: Registry, place: DispatcherPlace) {
    this.#registry = registry;
    this.#place = place;
    this.#noTask = { queue: place.queue, running: undefined };
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
      this.#store.run(this.#noTask, () => this.#instance(className, handler));
    } catch (thrown) {
      const cause = harmless(thrown);
      throw new MemqError("HANDLER_MISSING", `new ${className}() failed: ${describeError(cause)}`, { cause });
    }
  }

  /** Calls the method with exactly the published arguments. `timeoutMs` ends the attempt, not the handler. */
  dispatch(claim: Claim, target: Target, timeoutMs: number): Dispatched {
    const call = new RunningCall(claim, this.#place);
    const over = this.#place.watch?.begins(claim.task, timeoutMs);
    const ending = this.#store.run(call, () => {
      const called = this.#call(claim, target);
      if (!("pending" in called)) {
        over?.();
        return called;
      }
      if (over !== undefined) void called.pending.then(over);
      return endingWithin(timeoutMs, call, called.pending);
    });
    return {
      ending,
      abort: (reason) => {
        call.abort(reason);
      },
    };
  }

  /** Awaits `[Symbol.asyncDispose]` or `close` of every instance; what one throws is passed to `report`. */
  async close(report: (error: unknown) => void): Promise<void> {
    for (const [className, instance] of this.#instances) {
      try {
        await this.#store.run(this.#noTask, () => within(CLOSE_MS, dispose(instance)));
      } catch (thrown) {
        const cause = harmless(thrown);
        report(new Error(`${className} could not be closed: ${describeError(cause)}`, { cause }));
      }
    }
    this.#instances.clear();
  }

  #call(claim: Claim, { className, handler, method }: Target): Ending | Pending {
    try {
      const value: unknown = Reflect.apply(method, this.#instance(className, handler), claim.task.args);
      return isThenable(value) ? { pending: endingOf(value) } : { kind: "returned", value };
    } catch (thrown) {
      return { kind: "threw", thrown: harmless(thrown) };
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

interface Pending {
  readonly pending: Promise<Ending>;
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  if ((typeof value !== "object" && typeof value !== "function") || value === null) return false;
  return typeof (value as { then?: unknown }).then === "function";
}

/** Whatever a `then` of the user's own does, it ends in one ending. */
async function endingOf(value: PromiseLike<unknown>): Promise<Ending> {
  try {
    return { kind: "returned", value: await value };
  } catch (thrown) {
    return { kind: "threw", thrown: harmless(thrown) };
  }
}

/** The ending of an asynchronous call, or the abort that came first. */
function endingWithin(timeoutMs: number, call: RunningCall, pending: Promise<Ending>): Promise<Ending> {
  return new Promise((resolve) => {
    const end = (ending: Ending): void => {
      clearTimeout(timer);
      resolve(ending);
    };
    const timer = setTimeout(
      () => {
        call.abort(new Error(`timed out after ${formatDuration(timeoutMs)}`));
      },
      Math.min(timeoutMs, MAX_TIMER_MS),
    );
    call.onAbort((thrown) => {
      end({ kind: "threw", thrown });
    });
    void pending.then(end);
  });
}

async function dispose(instance: object): Promise<void> {
  const closing = instance as { [Symbol.asyncDispose]?: unknown; close?: unknown };
  const close = closing[Symbol.asyncDispose] ?? closing.close;
  if (typeof close === "function") await Reflect.apply(close, instance, []);
}
