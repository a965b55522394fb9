import type { Claim } from "../ports/broker.ts";
import type { Progress } from "../task/result.ts";
import { ProgressSampler } from "./progress-sampler.ts";
import { readProgress } from "./progress-word.ts";
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
  readonly #place: CallPlace;
  readonly #claim: Claim;
  #progress: ProgressSampler | undefined;
  #controller: AbortController | undefined;
  #aborted: Error | undefined;
  #interrupt: ((reason: Error) => void) | undefined;

  constructor(claim: Claim, place: CallPlace) {
    this.id = claim.task.id;
    this.queue = place.queue;
    this.attempt = claim.attempt;
    this.#place = place;
    this.#claim = claim;
  }

  get running(): RunningTask {
    return this;
  }

  get log(): (line: string) => void {
    return (line) => {
      this.#place.say(`${this.id}: ${line}`);
    };
  }

  get progress(): (done: number, total?: number) => void {
    return (done, total) => {
      const { progress, fault } = readProgress(done, total);
      if (fault !== undefined) this.#sayOnce(fault);
      if (progress === undefined) return;
      this.#progress ??= new ProgressSampler((latest) => this.#tell(latest));
      this.#progress.say({ ...progress, at: Date.now() });
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

  /** In a run of many tasks each would say the same. */
  #sayOnce(fault: string): void {
    if (warned.has(this.#place)) return;
    warned.add(this.#place);
    this.log(fault);
  }

  async #tell(progress: Progress): Promise<void> {
    await this.#place.report?.(this.#claim, progress);
  }
}

/** Those whose handlers were told that their progress makes no sense. */
const warned = new WeakSet<CallPlace>();
