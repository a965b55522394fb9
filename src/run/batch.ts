import { LEASE_MS, type Broker, type Claim, type Claimed, type Depth, type Idle } from "../ports/broker.ts";
import type { Clock } from "../ports/clock.ts";
import type { Listener } from "../telemetry/events.ts";
import { attempt, RunEnded, type AttemptParts } from "./attempt.ts";
import type { Budget, LimitReached } from "./budget.ts";
import { ClaimSize } from "./claim-size.ts";
import { Dispatcher } from "./dispatcher.ts";
import type { Registry } from "./registry.ts";
import type { RetryPolicy } from "./retry-policy.ts";
import { Settler } from "./settler.ts";

/** What one run of one queue needs. */
export interface BatchParts {
  readonly broker: Broker;
  readonly clock: Clock;
  readonly tell: Listener;
  readonly say: (line: string) => void;
  /** Loads the handlers; not called when there is nothing to run. */
  readonly registry: () => Promise<Registry>;
  readonly className: string;
  readonly policy: RetryPolicy;
  readonly timeoutMs: number;
  readonly concurrency: number;
  readonly budget: Budget;
  /** Aborted: claim no more; after `graceMs` what still runs is handed back. */
  readonly stop: AbortSignal;
  readonly graceMs: number;
}

/** Why a run of a queue ended. */
export type BatchEnd = Idle["kind"] | LimitReached;

/** Drains one queue: claims, runs and settles until nothing can be claimed or a limit is reached. */
export async function drain(parts: BatchParts): Promise<BatchEnd> {
  const nothing = nothingToDo(await parts.broker.depth(), parts.clock.now());
  if (nothing !== undefined) return nothing;
  const dispatcher = new Dispatcher(await parts.registry(), parts.broker.queue, parts.say);
  // A class that cannot be made stops the run before it takes a task.
  dispatcher.prepare(parts.className);
  const batch = new Batch(parts, dispatcher);
  try {
    return await batch.drain();
  } finally {
    await batch.end();
  }
}

/** The cheap look before handlers are loaded. What others hold may be a dead run's: that takes a claim to know. */
function nothingToDo(depth: Depth, nowMs: number): BatchEnd | undefined {
  if (depth.pausedUntil !== undefined && depth.pausedUntil > nowMs) return "paused";
  if (depth.waiting > 0 || depth.running > 0) return undefined;
  if (depth.delayed === 0) return "empty";
  return (depth.nextDueAt ?? 0) > nowMs ? "due" : undefined;
}

class Batch {
  readonly #parts: BatchParts;
  readonly #attempt: AttemptParts;
  readonly #dispatcher: Dispatcher;
  readonly #settler: Settler;
  readonly #size: ClaimSize;
  readonly #underWay: AttemptParts["underWay"] = new Map();
  readonly #renewing: NodeJS.Timeout;
  #held: Claim[] = [];
  #claiming: Promise<void> | undefined;
  #idle: Idle | undefined;
  #failure: { readonly error: unknown } | undefined;
  #busyLanes = 0;

  constructor(parts: BatchParts, dispatcher: Dispatcher) {
    const { broker, tell } = parts;
    this.#parts = parts;
    this.#dispatcher = dispatcher;
    this.#settler = new Settler(broker, ({ task }) => {
      tell({ kind: "leaseLost", queue: broker.queue, task });
    });
    this.#size = new ClaimSize(parts.concurrency);
    this.#attempt = { ...parts, dispatcher, settler: this.#settler, underWay: this.#underWay };
    this.#renewing = setInterval(() => {
      this.#renew();
    }, LEASE_MS / 3);
    parts.stop.addEventListener("abort", this.#onStop, { once: true });
  }

  /** Rounds of lanes: between two rounds nothing is held, so what has to run alone can be claimed. */
  async drain(): Promise<BatchEnd> {
    for (;;) {
      const reached = this.#reached();
      if (reached !== undefined) return reached;
      this.#idle = undefined;
      await this.#claimMore();
      if (this.#held.length === 0) return this.#reached() ?? this.#idleKind();
      await Promise.all(Array.from({ length: this.#parts.concurrency }, () => this.#lane()));
      await this.#settler.flush();
      if (this.#failure !== undefined) throw this.#failure.error;
    }
  }

  /** Hands back what was claimed and not started, and closes the handlers. */
  async end(): Promise<void> {
    clearInterval(this.#renewing);
    this.#parts.stop.removeEventListener("abort", this.#onStop);
    clearTimeout(this.#grace);
    const { queue } = this.#parts.broker;
    await this.#dispatcher.close((error) => {
      this.#parts.tell({ kind: "stray", queue, error });
    });
  }

  /** Takes one claim after the other, until there is none or the run has to end. */
  async #lane(): Promise<void> {
    try {
      for (let claim = await this.#next(); claim !== undefined; claim = await this.#next())
        await this.#run(claim);
    } catch (error) {
      this.#failure ??= { error }; // the other lanes finish what they run, then the round ends with it
    }
  }

  async #run(claim: Claim): Promise<void> {
    this.#busyLanes++;
    this.#parts.budget.taskStarted();
    try {
      const ms = await attempt(this.#attempt, claim);
      this.#size.taskEnded(ms);
      this.#parts.budget.taskEnded(ms);
    } finally {
      this.#busyLanes--;
    }
  }

  async #next(): Promise<Claim | undefined> {
    for (;;) {
      if (this.#failure !== undefined || this.#reached() !== undefined) return this.#handBack();
      const claim = this.#held.shift();
      if (claim !== undefined) return claim;
      if (this.#idle !== undefined) return undefined;
      await (this.#claiming ??= this.#claimMore().finally(() => {
        this.#claiming = undefined;
      }));
    }
  }

  async #claimMore(): Promise<void> {
    const { broker, concurrency, budget } = this.#parts;
    await this.#settler.flush();
    const limit = Math.min(this.#size.next(concurrency - this.#busyLanes), budget.tasksLeft);
    if (limit <= 0) return;
    const claimed = await broker.claim({ limit, atOnce: concurrency });
    this.#tellFindings(claimed);
    this.#held.push(...claimed.claims);
    this.#idle = claimed.idle;
  }

  async #handBack(): Promise<undefined> {
    const claims = this.#held;
    this.#held = [];
    if (claims.length > 0) await this.#parts.broker.release(claims);
    return undefined;
  }

  #reached(): LimitReached | undefined {
    if (this.#parts.stop.aborted) this.#parts.budget.stop();
    return this.#parts.budget.reached;
  }

  #idleKind(): BatchEnd {
    return this.#idle?.kind ?? "empty";
  }

  #tellFindings({ findings }: Claimed): void {
    for (const finding of findings)
      this.#parts.tell({ kind: "finding", queue: this.#parts.broker.queue, finding });
  }

  #renew(): void {
    const { broker, tell } = this.#parts;
    // The lease outlives two failed renewals; a lost one is refused and told at settle.
    broker.renew().catch((error: unknown) => {
      tell({ kind: "stray", queue: broker.queue, error });
    });
  }

  #grace: NodeJS.Timeout | undefined;
  readonly #onStop = (): void => {
    this.#grace = setTimeout(() => {
      this.#abortAll();
    }, this.#parts.graceMs);
  };

  #abortAll(): void {
    for (const dispatched of this.#underWay.values()) dispatched.abort(new RunEnded("the run was stopped"));
  }
}
