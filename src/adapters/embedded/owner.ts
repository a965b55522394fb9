import type { Liveness, ProcessIdentity } from "../../host/process-identity.ts";
import { SURROUNDINGS_MS, type Claim } from "../../ports/broker.ts";
import type { Connection } from "./connection.ts";
import { flightsPath } from "./holder.ts";
import { StartLog, type Startable } from "./start-log.ts";

/** How this process and others are told apart, and from the dead. */
export interface Processes {
  self(): ProcessIdentity;
  livenessOf(who: ProcessIdentity): Liveness;
  /** The time in ms on a clock that nobody sets, and that all processes of this host share. */
  upMs(): number;
}

/** A claim as its owner keeps it. */
export interface Holding extends Startable {
  readonly attempt: number;
  /** It has said how far it is. */
  hasReported: boolean;
}

/** What is held under one lease. */
export interface Tenure {
  readonly holder: number;
  readonly leaseEndsAt: number;
}

// Ids of tasks that only a newer memq can read; more are not looked past.
const MAX_NEWER = 10_000;

/** One owner of a queue: what it holds, as far as this process knows. The store has the last word. */
export class Owner {
  readonly processes: Processes;
  readonly #connection: Connection;
  readonly #held = new Map<string, Holding>();
  readonly #newer = new Set<number>();
  #tenure: Tenure | undefined;
  #starts: StartLog | undefined;
  #atOnce = 1;
  #lastHeld: Holding | undefined;
  #passedOverSince: number | undefined;
  #timeoutMs: number;

  constructor(connection: Connection, wishes: { readonly processes: Processes; readonly timeoutMs: number }) {
    this.#connection = connection;
    this.processes = wishes.processes;
    this.#timeoutMs = wishes.timeoutMs;
  }

  /** How long a handler may keep this process from renewing. */
  get blockedMs(): number {
    return this.#timeoutMs + SURROUNDINGS_MS;
  }

  /** An attempt may take so long. True: longer than any before, and the lease on record does not know it. */
  mayTake(timeoutMs: number): boolean {
    if (timeoutMs <= this.#timeoutMs) return false;
    this.#timeoutMs = timeoutMs;
    return true;
  }

  /** Undefined until the first claim. */
  get tenure(): Tenure | undefined {
    return this.#tenure;
  }

  get holdings(): readonly Holding[] {
    return [...this.#held.values()];
  }

  get heldCount(): number {
    return this.#held.size;
  }

  /** Holds a task that must have the process for itself. */
  get holdsAlone(): boolean {
    for (const holding of this.#held.values()) return holding.alone; // it is the only one, or there is none
    return false;
  }

  /** Rows to pass over: another version's tasks. */
  get newer(): ReadonlySet<number> {
    return this.#newer;
  }

  get looksPastNewer(): boolean {
    return this.#newer.size < MAX_NEWER;
  }

  /** Since when it could not take what must run alone, because it held something. */
  get passedOverSince(): number | undefined {
    return this.#passedOverSince;
  }

  passedOver(sinceMs: number | undefined): void {
    this.#passedOverSince = sinceMs;
  }

  noteNewer(row: number): void {
    this.#newer.add(row);
  }

  holding(claim: Claim): Holding | undefined {
    return this.#held.get(claim.receipt);
  }

  /** Goes on under this lease. Under a new number everything held before is lost. */
  renewed(tenure: Tenure): void {
    if (this.#tenure !== undefined && this.#tenure.holder !== tenure.holder) this.lose();
    this.#tenure = tenure;
  }

  /** To be told in the order of the claims. */
  hold(receipt: string, holding: Holding): void {
    if (this.#lastHeld !== undefined) this.#lastHeld.next = holding;
    this.#lastHeld = holding;
    this.#held.set(receipt, holding);
  }

  /** False: it was not held. */
  drop(claim: Claim): boolean {
    const holding = this.holding(claim);
    if (holding !== undefined) this.#starts?.drop(holding);
    return this.#held.delete(claim.receipt);
  }

  /** It turns from what it runs to what is to be done for all of it, such as settling. */
  interrupt(): void {
    this.#starts?.interrupt();
  }

  /** It comes back to what it holds, of which it runs so many at a time. Default: as before. */
  resume(atOnce = this.#atOnce): void {
    this.#atOnce = atOnce;
    this.#starts?.resume();
  }

  /** Notes a start where it outlives this process. False: it could not. */
  noteStart(holding: Holding): boolean {
    if (this.#tenure === undefined) return false;
    try {
      this.#starts ??= new StartLog(flightsPath(this.#connection, this.#tenure.holder));
      return this.#starts.start(holding, this.#atOnce);
    } catch {
      return false; // disk full or folder not writable: the start goes on record in the database instead
    }
  }

  /** Others have taken over, or it leaves: nothing is held any more. */
  lose(): void {
    this.#held.clear();
    this.#lastHeld = undefined;
    this.#starts?.close();
    this.#starts = undefined;
    this.#tenure = undefined;
  }
}
