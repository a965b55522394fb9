import { MemqError } from "../errors.ts";
import type { PublishOptions } from "../publish/draft.ts";
import type { Json } from "../task/task.ts";

/** One call of a group. */
export interface GroupCall {
  readonly method: string;
  readonly args: readonly Json[];
  readonly options: PublishOptions & { readonly queue?: string };
}

/** How one call of a group has ended. */
export interface Completion {
  /** Undefined: it was refused. */
  readonly id?: string;
  readonly method: string;
  readonly args: readonly Json[];
  /** What the method returned; undefined: nothing, or there is an error. */
  readonly result?: Json;
  /** TASK_FAILED and the like, as `call` rejects with; what the broker refused it with. */
  readonly error?: MemqError;
}

/** Told of each completion; awaited before it is told of the next. */
export type OnComplete = (completion: Completion) => unknown;

/** How a group is run. */
export interface GroupOptions {
  /** How long all of it may take, in ms or as a duration. Default "30s". */
  readonly wait?: number | string;
}

/** What runs a group: answers in the order of the calls. */
export type GroupRunner = (
  calls: readonly GroupCall[],
  tell: OnComplete,
  options: GroupOptions,
) => Promise<readonly Completion[]>;

/** Calls that are made at the same time, and waited for together. */
export class Group {
  readonly #runner: GroupRunner;
  readonly #calls: GroupCall[] = [];
  readonly #listeners: OnComplete[] = [];

  constructor(runner: GroupRunner) {
    this.#runner = runner;
  }

  /** A call, to be published when the group is run. */
  add(method: string, args: readonly Json[] = [], options: GroupCall["options"] = {}): this {
    this.#calls.push({ method, args, options });
    return this;
  }

  /**
   * Tells each completion, in the order in which the calls complete. What it throws ends the run, and leaves the tasks
   * alone. @throws MemqError USAGE for what cannot be called
   */
  onComplete(listener: OnComplete): this {
    assertCallable(listener);
    this.#listeners.push(listener);
    return this;
  }

  /**
   * Publishes all calls and resolves when each has completed, with an error or without, in the order of adding. What
   * has not ended in time has the error WAIT_TIMEOUT, and is left alone. @throws MemqError when the broker fails.
   */
  run(options: GroupOptions = {}): Promise<readonly Completion[]> {
    const tell = async (completion: Completion): Promise<void> => {
      for (const listener of this.#listeners) await listener(completion);
    };
    return this.#runner(this.#calls, tell, options);
  }
}

// Else it would be found out when the first of the calls has been made.
function assertCallable(listener: unknown): void {
  if (typeof listener === "function") return;
  throw new MemqError(
    "USAGE",
    `onComplete takes a function, not ${listener === null ? "null" : typeof listener}`,
  );
}
