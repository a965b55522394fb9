import { setMaxListeners } from "node:events";
import { assertConcurrency } from "./concurrency.ts";
import { MemqError } from "../errors.ts";
import { LEASE_MS, type Broker, type Depth, type Idle } from "../ports/broker.ts";
import { MAX_TIMER_MS, type Clock } from "../ports/clock.ts";
import type { Listener } from "../telemetry/events.ts";
import { attempt, type AttemptParts } from "./attempt.ts";
import type { Budget, LimitReached } from "./budget.ts";
import { Dispatcher, type CallWatch, type DispatcherPlace } from "./dispatcher.ts";
import type { KeepingParts } from "./keeping.ts";
import { leavePace } from "./pace.ts";
import { proceed } from "./proceed.ts";
import type { Registry } from "./registry.ts";
import type { RetryPolicy } from "./retry-policy.ts";
import { Settler } from "./settler.ts";
import { Supply } from "./supply.ts";
import { RunEnded, UnderWay } from "./under-way.ts";

/** What one run of one queue needs. */
export interface BatchParts extends KeepingParts {
  readonly broker: Broker;
  readonly clock: Clock;
  readonly tell: Listener;
  readonly say: (line: string) => void;
  /** Loads the handlers; not called when there is nothing to run. */
  readonly registry: () => Promise<Registry>;
  readonly className: string;
  readonly policy: RetryPolicy;
  readonly timeoutMs: number;
  /** Tasks at a time. */
  readonly concurrency: number;
  readonly budget: Budget;
  /** Aborted: claim no more; after `graceMs` what still runs is handed back. */
  readonly stop: AbortSignal;
  readonly graceMs: number;
  /** Asked once there is something to do, before handlers are loaded; an answer keeps the run from it. */
  readonly admit?: () => Promise<BatchEnd | undefined>;
  /** Told what was seen when there is nothing to do, so that nobody has to look again. */
  readonly onNothing?: (depth: Depth) => void;
  /** Told before each attempt how long it may take. */
  readonly attemptBegins?: (timeoutMs: number) => void;
  /** Asked before each claim; resolves when those who are told what ended can take more. */
  readonly roomForMore?: () => Promise<void> | undefined;
  /** Told now and then, as long as the process gets to do anything at all. */
  readonly onRenew?: () => void;
  /** What is known of the end of the process that a task ran in last, as the end of a sentence. Default: nothing. */
  readonly lastWords?: (id: string) => Promise<string>;
  /** A worker's: where nothing can be claimed it waits for more. Absent: the batch ends then. */
  readonly stays?: Staying;
}

/** How a worker's batch stays. */
export interface Staying {
  /** Aborted: claim no more, hand back what is not started; what runs may finish. */
  readonly leave: AbortSignal;
  /** Told of each call of a handler. */
  readonly watch?: CallWatch | undefined;
  /** Told when the handlers are there and the work begins. */
  readonly onReady?: () => void;
  /** Told of an attempt that may be its task's last, with its timeout in ms; what it answers is called when it has ended. */
  readonly atRisk?: ((id: string, timeoutMs: number) => () => void) | undefined;
}

/** Why a run of a queue ended. "full": as many runs as may be work on it already. */
export type BatchEnd = Idle["kind"] | LimitReached | "full";

// Why a worker waits for more, and how long it does before it tries to claim all the same.
const IDLE: readonly BatchEnd[] = ["empty", "paused", "held", "due"] satisfies readonly Idle["kind"][];
const LONGEST_REST_MS = 60_000;

/** Drains one queue: claims, runs and settles until nothing can be claimed or a limit is reached. */
export async function drain(parts: BatchParts): Promise<BatchEnd> {
  assertConcurrency(parts.concurrency);
  const nothing = parts.stays ?? (await looked(parts));
  if (typeof nothing === "string") return nothing;
  const refused = await parts.admit?.();
  if (refused !== undefined) return refused;
  setMaxListeners(0, parts.stop); // all queues of a run share it: many listeners are no leak
  const registry = await unlessStopped(parts.registry(), parts.stop);
  if (registry === undefined) return "stopped";
  const dispatcher = new Dispatcher(registry, placeOf(parts));
  // A class that cannot be made stops the run before it takes a task.
  dispatcher.prepare(parts.className);
  parts.stays?.onReady?.();
  return new Batch(parts, dispatcher).drain();
}

/** Handlers can take their time to load; undefined: the run was stopped meanwhile. */
function unlessStopped<T>(loading: Promise<T>, stop: AbortSignal): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    const onStop = (): void => {
      resolve(undefined);
    };
    if (stop.aborted) onStop();
    stop.addEventListener("abort", onStop, { once: true });
    loading.then(resolve, reject).finally(() => {
      stop.removeEventListener("abort", onStop);
    });
  });
}

async function looked({ broker, clock, onNothing }: BatchParts): Promise<BatchEnd | undefined> {
  // The run that settled the last task of a bulk may have died before it came to what follows.
  const [seen, followed] = await Promise.all([broker.depth(), broker.bulks.conclude()]);
  const depth = followed === 0 ? seen : await broker.depth();
  const nothing = nothingToDo(depth, clock.now());
  if (nothing !== undefined) onNothing?.(depth);
  return nothing;
}

/** The cheap look before handlers are loaded. What others hold may be a dead run's: that takes a claim to know. */
function nothingToDo(depth: Depth, nowMs: number): BatchEnd | undefined {
  if (depth.pausedUntil !== undefined && depth.pausedUntil > nowMs) return "paused";
  if (depth.waiting > 0 || depth.running > 0) return undefined;
  if (depth.delayed === 0) return "empty";
  return (depth.nextDueAt ?? 0) > nowMs ? "due" : undefined;
}

const placeOf = ({ broker, say, stays }: BatchParts): DispatcherPlace => ({
  queue: broker.queue,
  say,
  report: (claim, progress) => broker.results.report(claim, progress),
  watch: stays?.watch,
});

class Batch {
  readonly #parts: BatchParts;
  readonly #attempt: AttemptParts;
  readonly #dispatcher: Dispatcher;
  readonly #settler: Settler;
  readonly #supply: Supply;
  readonly #underWay = new UnderWay();
  readonly #renewing: NodeJS.Timeout;
  readonly #timeUp: NodeJS.Timeout | undefined;
  #grace: NodeJS.Timeout | undefined;
  #failure: { readonly error: unknown } | undefined;

  constructor(parts: BatchParts, dispatcher: Dispatcher) {
    this.#parts = parts;
    this.#dispatcher = dispatcher;
    this.#settler = new Settler({ ...parts, onFailure: this.#fail });
    this.#supply = new Supply({ ...parts, flush: () => this.#settler.flush() });
    this.#attempt = {
      ...parts,
      atRisk: parts.stays?.atRisk,
      dispatcher,
      settler: this.#settler,
      underWay: this.#underWay,
      pause: (untilMs) => this.#pause(untilMs),
    };
    this.#renewing = setInterval(this.#renew, LEASE_MS / 3);
    this.#timeUp = this.#atTimeUp();
    parts.stop.addEventListener("abort", this.#onStop, { once: true });
    parts.stays?.leave.addEventListener("abort", this.#onLeave, { once: true });
  }

  /** Whatever fails, what is held is handed back and the handlers are closed; then the first failure is thrown. */
  async drain(): Promise<BatchEnd> {
    const end = await this.#rounds().catch(this.#fail);
    await this.#end();
    if (this.#failure !== undefined) throw this.#failure.error;
    return end ?? "empty";
  }

  async #rounds(): Promise<BatchEnd | undefined> {
    while (this.#failure === undefined) {
      const end = await this.#supply.open();
      if (end !== undefined) {
        // What follows a bulk that is over by now is part of this run.
        if (IDLE.includes(end) && (await this.#parts.broker.bulks.conclude()) > 0) continue;
        if (!this.#isStaying(end)) return end;
        await this.#supply.wait(LONGEST_REST_MS);
        continue;
      }
      await Promise.all(
        Array.from({ length: this.#parts.concurrency }, () => this.#lane().catch(this.#fail)),
      );
      await this.#settler.flush();
    }
    return undefined;
  }

  /** A worker waits for more, whatever keeps it from claiming, unless that is the end of its work. */
  #isStaying(end: BatchEnd): boolean {
    return this.#parts.stays !== undefined && IDLE.includes(end);
  }

  /** Takes one claim after the other, until the round is over. */
  async #lane(): Promise<void> {
    for (;;) {
      const claim = this.#supply.take() ?? (await this.#supply.next());
      if (claim === undefined) return;
      const ended = proceed(attempt(this.#attempt, claim), this.#ended);
      if (ended !== undefined) await ended;
    }
  }

  async #end(): Promise<void> {
    clearInterval(this.#renewing);
    clearTimeout(this.#timeUp);
    this.#parts.stop.removeEventListener("abort", this.#onStop);
    this.#parts.stays?.leave.removeEventListener("abort", this.#onLeave);
    clearTimeout(this.#grace);
    await this.#settler.flush().catch(this.#fail);
    this.#settler.giveUp();
    await this.#supply.handBack().catch(this.#fail);
    await leavePace(this.#parts.broker, this.#supply.meanMs).catch(this.#fail);
    const { queue } = this.#parts.broker;
    await this.#dispatcher.close((error) => {
      this.#parts.tell({ kind: "stray", queue, error });
    });
  }

  readonly #ended = (ms: number): Promise<void> | undefined => this.#supply.ended(ms);

  /** The first failure ends the run; the lanes finish what they run, and what fails after it has the same cause. */
  readonly #fail = (error: unknown): undefined => {
    this.#failure ??= { error };
    this.#supply.close();
  };

  /** What is claimed is handed back too: who pauses a queue wants none of its tasks run. */
  async #pause(untilMs: number): Promise<void> {
    this.#supply.close();
    await this.#parts.broker.pause(untilMs);
  }

  readonly #renew = (): void => {
    const { broker, tell, onRenew } = this.#parts;
    onRenew?.();
    // The lease outlives two failed renewals; a lost one is refused and told at settle, and a broker that stays
    // away is told by what needs it next.
    broker.renew().catch((error: unknown) => {
      if (error instanceof MemqError) return;
      tell({ kind: "stray", queue: broker.queue, error });
    });
  };

  /** What would only wait behind the last tasks of this run is for the next one, at once. */
  readonly #passOn = (): void => {
    this.#supply.handBack().catch(this.#fail);
  };

  #atTimeUp(): NodeJS.Timeout | undefined {
    const { leftMs } = this.#parts.budget;
    return leftMs > MAX_TIMER_MS ? undefined : setTimeout(this.#passOn, leftMs);
  }

  readonly #onLeave = (): void => {
    this.#supply.wake();
    this.#passOn();
  };

  readonly #onStop = (): void => {
    this.#onLeave();
    this.#grace = setTimeout(
      () => {
        this.#underWay.abortAll(new RunEnded("the run was stopped"));
      },
      Math.min(this.#parts.graceMs, MAX_TIMER_MS),
    );
  };
}
