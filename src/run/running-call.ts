import type { Claim } from "../ports/broker.ts";
import { contextStore, type HandlerContext, type RunningTask } from "./task-context.ts";

/** Where the call belongs, and where its log lines go. */
interface Place {
  readonly queue: string;
  readonly say: (line: string) => void;
}

/** One call of a handler's method, seen from inside and outside. */
export class RunningCall implements RunningTask, HandlerContext {
  readonly id: string;
  readonly queue: string;
  readonly attempt: number;
  readonly #say: (line: string) => void;
  #controller: AbortController | undefined;
  #aborted: Error | undefined;
  #interrupt: ((reason: Error) => void) | undefined;

  constructor(claim: Claim, { queue, say }: Place) {
    this.id = claim.task.id;
    this.queue = queue;
    this.attempt = claim.attempt;
    this.#say = say;
  }

  get running(): RunningTask {
    return this;
  }

  get log(): (line: string) => void {
    return (line) => {
      this.#say(`${this.id}: ${line}`);
    };
  }

  // Made on demand: most handlers never look at it.
  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.#aborted !== undefined) this.#controller.abort(this.#aborted);
    return this.#controller.signal;
  }

  /** `interrupt` is called once, when the call is aborted; at once when it has been. */
  onAbort(interrupt: (reason: Error) => void): void {
    if (this.#aborted === undefined) this.#interrupt = interrupt;
    else interrupt(this.#aborted);
  }

  abort(reason: Error): void {
    if (this.#aborted !== undefined) return;
    this.#aborted = reason;
    // What the handler does on abort belongs to it, as what it threw there would.
    contextStore().run(this, () => this.#controller?.abort(reason));
    this.#interrupt?.(reason);
  }
}
