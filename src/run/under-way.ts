import type { Dispatched, Ending } from "./dispatcher.ts";

/** The reason with which the end of a run aborts what still runs: it goes back uncharged. */
export class RunEnded extends Error {
  override readonly name = "RunEnded";
}

/** The asynchronous calls under way, so that the end of the run can abort them. */
export class UnderWay {
  readonly #calls = new Set<Dispatched>();
  #ended: RunEnded | undefined;

  /** The ending of a call, which may be that the run ended first. */
  async watch(dispatched: Dispatched): Promise<Ending> {
    this.#calls.add(dispatched);
    // A slow start may have let it in after everything was aborted.
    if (this.#ended !== undefined) dispatched.abort(this.#ended);
    try {
      return await dispatched.ending;
    } finally {
      this.#calls.delete(dispatched);
    }
  }

  abortAll(reason: RunEnded): void {
    this.#ended = reason;
    for (const dispatched of this.#calls) dispatched.abort(reason);
  }
}
