import { describeError, MemqError } from "../errors.ts";
import type { Json, Task } from "../task/task.ts";
import type { RunEvent } from "../telemetry/events.ts";
import { importHandlerFile } from "./handler-files.ts";
import type { QueueRun } from "./run.ts";
import { contextStore } from "./task-context.ts";
import { harmless } from "./thrown.ts";
import { within } from "./within.ts";

/**
 * Told once for each attempt whose outcome is recorded, and for a task that becomes a dead letter without one.
 * `topic` is the queue; `taskname` the method, `Class.method` when the class is not the queue's own; `timeuse` ms,
 * -1 on failure; `message` "ok." or what the error says.
 */
export type OnResult = (...told: AttemptResult) => unknown;

/** What is told of an attempt: these six, in this order. */
export type AttemptResult = [
  topic: string,
  taskid: string,
  taskname: string,
  params: readonly Json[],
  timeuse: number,
  message: string,
];

// What an asynchronous call may take: whoever needs longer would keep the run, and cron behind it, waiting.
const CALL_MS = 10_000;
// Each holds its task's arguments: a slow receiver must not fill the memory.
const MOST_UNDER_WAY = 1_000;

/** The run of a queue, with its attempts told to `onResult`: a function, or the path of the module that has it. */
export function tellingResults(run: QueueRun, onResult: OnResult | string): QueueRun {
  const calls = new ResultCalls(run, onResult);
  return {
    ...run,
    registry: async () => {
      await calls.load();
      return run.registry();
    },
    tell: (event) => {
      run.tell(event);
      calls.listen(event);
    },
    roomForMore: () => calls.roomForMore(),
    atEnd: () => calls.over(),
  };
}

/**
 * The function of an on-result module: its default export, or the one named `onResult`.
 * @throws MemqError ON_RESULT_UNUSABLE
 */
export async function loadOnResult(path: string): Promise<OnResult> {
  const { exports } = await importHandlerFile(path).catch((cause: unknown) => {
    throw new MemqError("ON_RESULT_UNUSABLE", `on-result: ${describeError(cause)}`, { cause });
  });
  const found = [exports["default"], exports["onResult"]].find((value) => typeof value === "function");
  if (found !== undefined) return found as OnResult;
  throw new MemqError(
    "ON_RESULT_UNUSABLE",
    `on-result: ${path} exports no function, neither as its default nor as onResult`,
  );
}

/** The calls of one run of one queue. Nothing of them harms a task: what they throw is told. */
class ResultCalls {
  readonly #run: Pick<QueueRun, "queue" | "className" | "tell">;
  readonly #source: OnResult | string;
  readonly #underWay = new Set<Promise<void>>();
  #onResult: OnResult | undefined;

  constructor(run: QueueRun, source: OnResult | string) {
    this.#run = run;
    this.#source = source;
  }

  /** To be called before anything is claimed. @throws MemqError ON_RESULT_UNUSABLE */
  async load(): Promise<void> {
    this.#onResult ??= typeof this.#source === "string" ? await loadOnResult(this.#source) : this.#source;
  }

  listen(event: RunEvent): void {
    if (event.kind === "done") {
      this.#call(event.task, Math.round(event.ms * 1_000) / 1_000, "ok."); // finer is noise
    } else if (event.kind === "retry" || event.kind === "dead") {
      this.#call(event.task, -1, describeError(event.error));
    }
  }

  /** Resolves when a call more can be under way; undefined: at once. */
  roomForMore(): Promise<void> | undefined {
    return this.#underWay.size < MOST_UNDER_WAY ? undefined : this.over();
  }

  /** Resolves when all calls have ended, or used up their time. */
  async over(): Promise<void> {
    await Promise.all(this.#underWay);
  }

  #call(task: Task, timeuse: number, message: string): void {
    const { queue } = this.#run;
    try {
      // As handler code: what it lets loose later is told with its queue, and it cannot exit the process.
      const returned = contextStore().run({ queue, running: undefined }, () =>
        this.#onResult?.(queue, task.id, this.#nameOf(task), task.args, timeuse, message),
      );
      if (isThenable(returned)) this.#watch(returned);
    } catch (thrown) {
      this.#tellFault(thrown);
    }
  }

  #watch(returned: PromiseLike<unknown>): void {
    const ended: Promise<void> = within(CALL_MS, Promise.resolve(returned))
      .then(
        () => undefined,
        (thrown: unknown) => {
          this.#tellFault(thrown);
        },
      )
      .finally(() => this.#underWay.delete(ended));
    this.#underWay.add(ended);
  }

  #nameOf({ class: className, method }: Task): string {
    return className === undefined || className === this.#run.className ? method : `${className}.${method}`;
  }

  #tellFault(thrown: unknown): void {
    const cause = harmless(thrown);
    const error = new Error(`on-result: ${describeError(cause)}`, { cause });
    this.#run.tell({ kind: "stray", queue: this.#run.queue, error });
  }
}

const isThenable = (value: unknown): value is PromiseLike<unknown> =>
  typeof value === "object" &&
  value !== null &&
  typeof (value as { readonly then?: unknown }).then === "function";
