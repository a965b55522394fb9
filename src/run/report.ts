import { EXIT, type ErrorCode } from "../errors.ts";
import type { SlotHolder } from "../host/run-slots.ts";
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
  /** Tasks that ran, and whose outcome could not be recorded: the broker was away. Absent: none. */
  readonly unrecorded?: number;
  readonly losses: readonly Loss[];
  readonly ms: number;
  /** Why it ended. `failure` says what failed: always when it is "failed", else a listener. */
  readonly ended: BatchEnd | "failed";
  readonly failure?: { readonly code: ErrorCode; readonly message: string };
  /** When the next task falls due, or the pause ends, when that is why it ended; in ms since 1970. */
  readonly until?: number;
  /** How many runs of this host worked on the queue meanwhile, this one included; absent: it was alone. */
  readonly shared?: number;
  /** Who has all the slots, when that is why it ended. */
  readonly holders?: readonly SlotHolder[];
  /** What is worth a person's look, a sentence each; absent: nothing. */
  readonly warnings?: readonly string[];
  /** What would make such a run faster, when it mostly waited. */
  readonly hint?: string;
}

/** What a run did; `exit` is the worst of its queues. */
export interface RunReport {
  readonly queues: readonly QueueReport[];
  readonly exit: number;
  /** What went wrong with those who were to be told of it; absent: nothing. */
  readonly faults?: readonly string[];
}

/** How whoever did that exits because of what was lost. */
export const lossExit = ({ losses, leasesLost }: Pick<QueueReport, "losses" | "leasesLost">): number =>
  losses.length > 0 || leasesLost > 0 ? EXIT.loss : EXIT.ok;

/** Counts what a queue's run tells, and passes it on. */
export class Tally {
  done = 0;
  retried = 0;
  dead = 0;
  leasesLost = 0;
  unrecorded = 0;
  readonly losses: Loss[] = [];
  /** The first thing a listener threw: it has harmed no task, but is not forgotten. */
  fault: { readonly thrown: unknown } | undefined;
  readonly #next: Listener;

  constructor(next: Listener) {
    this.#next = next;
  }

  readonly listen: Listener = (event) => {
    this.#count(event);
    try {
      this.#next(event);
    } catch (thrown) {
      this.fault ??= { thrown };
    }
  };

  /** As a report has them. */
  counts(): Pick<QueueReport, "done" | "retried" | "dead" | "leasesLost" | "unrecorded" | "losses"> {
    const { done, retried, dead, leasesLost, unrecorded, losses } = this;
    return { done, retried, dead, leasesLost, ...(unrecorded > 0 && { unrecorded }), losses };
  }

  #count(event: RunEvent): void {
    if (event.kind === "done") this.done++;
    else if (event.kind === "retry") this.retried++;
    else if (event.kind === "dead") this.dead++;
    else if (event.kind === "leaseLost") this.leasesLost++;
    else if (event.kind === "unrecorded") this.unrecorded++;
    else if (event.kind === "loss") this.losses.push(event.loss);
    else if (event.kind === "finding" && event.finding.kind === "buried") this.dead++;
  }
}
