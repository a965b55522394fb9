import type { Claim } from "../ports/broker.ts";
import type { Progress } from "../task/result.ts";
import { ProgressSampler } from "./progress-sampler.ts";
import { contextStore, type HandlerContext, type RunningTask } from "./task-context.ts";

/** Where the call belongs, and where its log lines go. */
export interface CallPlace {
  readonly queue: string;
  readonly say: (line: string) => void;
  /** Takes what the handler says of its progress. */
  readonly report?: (claim: Claim, progress: Progress) => Promise<void>;
}

/** One call of a handler's method, seen from inside and outside. */
export class RunningCall implements RunningTask, HandlerContext {
  readonly id: string;
  readonly queue: string;
  readonly attempt: number;
  readonly #say: (line: string) => void;
  readonly #claim: Claim;
  readonly #report: CallPlace["report"];
  #progress: ProgressSampler | undefined;
  #controller: AbortController | undefined;
  #aborted: Error | undefined;
  #interrupt: ((reason: Error) => void) | undefined;

  constructor(claim: Claim, { queue, say, report }: CallPlace) {
    this.id = claim.task.id;
    this.queue = queue;
    this.attempt = claim.attempt;
    this.#say = say;
    this.#claim = claim;
    this.#report = report;
  }

  get running(): RunningTask {
    return this;
  }

  get log(): (line: string) => void {
    return (line) => {
      this.#say(`${this.id}: ${line}`);
    };
  }

  get progress(): (done: number, total?: number) => void {
    return (done, total) => {
      if (!isAmount(done)) return;
      this.#progress ??= new ProgressSampler((progress) => this.#tell(progress));
      this.#progress.say({ done, ...(isAmount(total) && { total }), at: Date.now() });
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

  async #tell(progress: Progress): Promise<void> {
    await this.#report?.(this.#claim, progress);
  }
}

/** 0/0 of a handler that counts nothing is no reason to fail it. */
const isAmount = (value: unknown): value is number => Number.isFinite(value);
