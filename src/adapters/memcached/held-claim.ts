import type { Claim } from "../../ports/broker.ts";
import type { Task } from "../../task/task.ts";
import type { HeldTask } from "./hold.ts";

/** What a claim says besides which task it is. */
export interface ClaimTerms {
  readonly receipt: string;
  readonly attempt: number;
  readonly alone: boolean;
  readonly isPresumed: boolean;
  readonly askedFrom: number | undefined;
}

/** A claim that knows the held task it stands for: it is asked for at every start and settle, for every task. */
export class HeldClaim implements Claim {
  readonly task: Task;
  readonly receipt: string;
  readonly attempt: number;
  readonly alone: boolean;
  declare readonly presumed?: true;
  declare readonly askedFrom?: number;
  readonly #held: HeldTask;

  constructor(held: HeldTask, task: Task, terms: ClaimTerms) {
    this.task = task;
    this.receipt = terms.receipt;
    this.attempt = terms.attempt;
    this.alone = terms.alone;
    if (terms.isPresumed) this.presumed = true;
    if (terms.askedFrom !== undefined) this.askedFrom = terms.askedFrom;
    this.#held = held;
  }

  /** The task of a claim that was made here; undefined for a copy of one. */
  static heldBy(claim: Claim): HeldTask | undefined {
    return #held in claim ? claim.#held : undefined;
  }
}
