import type { Progress } from "../task/result.ts";

// Five times a second is as often as anybody looks; a handler may say it a million times.
const GAP_MS = 200;

/** Passes on what one attempt says of its progress: the first word at once, then the latest one now and then. */
export class ProgressSampler {
  readonly #pass: (progress: Progress) => Promise<void>;
  #latest: Progress | undefined;
  #isBusy = false;

  /** `pass` may reject: what a task says of itself must not harm it. */
  constructor(pass: (progress: Progress) => Promise<void>) {
    this.#pass = pass;
  }

  say(progress: Progress): void {
    this.#latest = progress;
    if (!this.#isBusy) this.#send();
  }

  #send(): void {
    const progress = this.#latest;
    if (progress === undefined) return;
    this.#latest = undefined;
    this.#isBusy = true;
    void this.#pass(progress).catch(ignoreUntold).finally(this.#rest);
  }

  readonly #rest = (): void => {
    // It must not keep alive a process that has nothing else to do.
    setTimeout(() => {
      this.#isBusy = false;
      this.#send();
    }, GAP_MS).unref();
  };
}

const ignoreUntold = (): void => undefined; // a broker that is away is told by what needs it next
