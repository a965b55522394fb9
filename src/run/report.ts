import type { ErrorCode } from "../errors.ts";
import type { Loss } from "../ports/broker.ts";
import type { Listener, RunEvent } from "../telemetry/events.ts";
import type { BatchEnd } from "./batch.ts";

/** What one run did with one queue. */
export interface QueueReport {
  readonly queue: string;
  readonly done: number;
  readonly retried: number;
  readonly dead: number;
  /** Waiting, delayed and running tasks when the run ended; undefined when the broker could not be asked. */
  readonly left: number | undefined;
  /** Outcomes that were refused because the lease had ended. */
  readonly leasesLost: number;
  readonly losses: readonly Loss[];
  readonly ms: number;
  /** Why it ended; "failed" with what failed. */
  readonly ended: BatchEnd | "failed";
  readonly failure?: { readonly code: ErrorCode; readonly message: string };
}

/** What a run did; `exit` is the worst of its queues. */
export interface RunReport {
  readonly queues: readonly QueueReport[];
  readonly exit: number;
}

/** Counts what a queue's run tells, and passes it on. */
export class Tally {
  done = 0;
  retried = 0;
  dead = 0;
  leasesLost = 0;
  readonly losses: Loss[] = [];
  readonly #next: Listener;

  constructor(next: Listener) {
    this.#next = next;
  }

  readonly listen: Listener = (event) => {
    this.#count(event);
    this.#next(event);
  };

  #count(event: RunEvent): void {
    if (event.kind === "done") this.done++;
    else if (event.kind === "retry") this.retried++;
    else if (event.kind === "dead") this.dead++;
    else if (event.kind === "leaseLost") this.leasesLost++;
    else if (event.kind === "loss") this.losses.push(event.loss);
    else if (event.kind === "finding" && event.finding.kind === "buried") this.dead++;
  }
}
