import type { QueueRuns } from "../host/queue-runs.ts";
import type { Depth } from "../ports/broker.ts";
import type { RunSlot, SlotHolder } from "../host/run-slots.ts";
import { drain, type BatchEnd, type BatchParts } from "./batch.ts";
import { runnableAt, waitUntil } from "./cover.ts";
import type { LifeSign } from "./life-sign.ts";
import { beginEffort, NO_EFFORT, together, type Effort } from "./effort.ts";

/** A queue's runs on this host. */
export interface OnHost {
  readonly runs: QueueRuns;
  /** How many may overlap. */
  readonly maxRuns: number;
  /** What a surplus run does. */
  readonly whenFull: WhenFull;
  /** In a process that is nothing but this run: should it come to a standstill, the next run may end it. */
  readonly lifeSign?: LifeSign;
}

/** What one run's visit to one queue needs besides its batches. */
export interface VisitParts extends BatchParts {
  /** Undefined: nobody minds how many runs there are. */
  readonly onHost?: OnHost;
  /** Cron's next tick after a time, both in ms; undefined: the run does not wait for what is due later. */
  readonly nextTick?: (afterMs: number) => number | Promise<number>;
  /** The run begins to work on the queue. */
  readonly onBegin?: () => void;
}

/** A surplus run ends well, waits for a slot, or fails. */
export type WhenFull = "skip" | "wait" | "fail";

/** How a visit ended. */
export interface VisitEnd {
  readonly ended: BatchEnd;
  /** Who had the slots, when it ended for want of one. */
  readonly holders: readonly SlotHolder[];
  /** What the work took, without what it waited for the next task to fall due. */
  readonly effort: Effort;
  /** As it was seen at the very end; undefined: that takes another look. */
  readonly depth: Depth | undefined;
}

/**
 * One queue's part of a run: drains it with a slot in hand, and, when the run covers the time up to the next
 * one, waits without a slot for what falls due, and drains again.
 */
export async function visit(parts: VisitParts): Promise<VisitEnd> {
  const covering = new Visit(parts);
  try {
    return await covering.rounds();
  } finally {
    covering.leave();
  }
}

// What was due turned out not to be claimable, or others had all slots: look again, but not at once.
const LOOK_AGAIN_MS = 1_000;
const MOST_LOOKS = 5;

class Visit {
  readonly #parts: VisitParts;
  #endLifeSign: (() => void) | undefined;
  #slot: RunSlot | undefined;
  #waiting: RunSlot | undefined;
  #holders: readonly SlotHolder[] = [];
  #looks = 0;
  #effort = NO_EFFORT;
  #depth: Depth | undefined;
  #endEffort: (() => Effort) | undefined;

  constructor(parts: VisitParts) {
    this.#parts = parts;
  }

  async rounds(): Promise<VisitEnd> {
    for (;;) {
      const ended = await this.#drain();
      const untilMs = await this.#coverUntil(ended);
      if (untilMs === undefined) {
        const holders = ended === "full" ? this.#holders : [];
        return { ended, holders, effort: this.#effort, depth: this.#depth };
      }
      await this.#wait(untilMs);
    }
  }

  leave(): void {
    this.#slot?.release();
    this.#waiting?.release();
  }

  async #drain(): Promise<BatchEnd> {
    const lifeSign = this.#parts.onHost?.lifeSign;
    this.#depth = undefined;
    try {
      return await drain({
        ...this.#parts,
        admit: () => this.#admit(),
        onNothing: (depth) => (this.#depth = depth),
        attemptBegins: (timeoutMs) => lifeSign?.attemptBegins(timeoutMs),
        onRenew: () => lifeSign?.renew(),
      });
    } finally {
      this.#endLifeSign?.();
      this.#slot?.release();
      this.#slot = undefined;
      this.#endStretch();
    }
  }

  async #admit(): Promise<BatchEnd | undefined> {
    const { onHost } = this.#parts;
    const answer = await onHost?.runs.takeSlot({ max: onHost.maxRuns, waits: () => this.#mayWaitForSlot() });
    if (answer?.kind === "full") {
      this.#holders = answer.holders;
      return this.#reached() ?? "full";
    }
    this.#begin(answer?.slot);
    return undefined;
  }

  #begin(slot: RunSlot | undefined): void {
    const { onHost, clock, onBegin, timeoutMs } = this.#parts;
    this.#slot = slot;
    if (slot !== undefined) this.#endLifeSign = onHost?.lifeSign?.for(slot, timeoutMs);
    this.#endEffort = beginEffort();
    onHost?.runs.begin(clock.now());
    onBegin?.();
  }

  #endStretch(): void {
    const stretch = this.#endEffort?.();
    if (stretch === undefined) return;
    this.#parts.onHost?.runs.worked(stretch.ms);
    this.#effort = together(this.#effort, stretch);
    this.#endEffort = undefined;
  }

  #mayWaitForSlot(): boolean {
    return this.#parts.onHost?.whenFull === "wait" && this.#reached() === undefined;
  }

  #reached(): BatchEnd | undefined {
    const { stop, budget } = this.#parts;
    return stop.aborted ? "stopped" : budget.reached(0);
  }

  /** Until when to wait before the next drain; undefined: the visit is over. */
  async #coverUntil(ended: BatchEnd): Promise<number | undefined> {
    const { nextTick, broker, clock, budget } = this.#parts;
    if (nextTick === undefined || this.#reached() !== undefined) return undefined;
    // Only who waits already may find all slots taken and still stay.
    if (ended === "full" && this.#waiting === undefined) return undefined;
    this.#depth ??= await broker.depth();
    const lull = { ended, depth: this.#depth, nowMs: clock.now(), endsAtMs: budget.endsAtMs };
    // Most runs leave nothing behind: they need not know when the next one comes.
    if (runnableAt(lull) === undefined) return undefined;
    const { nowMs } = lull;
    const untilMs = waitUntil({ ...lull, tickMs: await nextTick(nowMs) });
    if (untilMs === undefined || this.#isFruitless(untilMs <= nowMs)) return undefined;
    return (await this.#isWaiter()) ? untilMs : undefined;
  }

  /** One run waits for a queue; a second would only do the same. */
  async #isWaiter(): Promise<boolean> {
    const { onHost } = this.#parts;
    if (onHost === undefined) return true;
    this.#waiting ??= await onHost.runs.takeWait();
    return this.#waiting !== undefined;
  }

  /** Something is there that nobody can claim: cron's next run will look again. */
  #isFruitless(isDue: boolean): boolean {
    this.#looks = isDue ? this.#looks + 1 : 0;
    return this.#looks > MOST_LOOKS;
  }

  async #wait(untilMs: number): Promise<void> {
    const { broker, clock, stop } = this.#parts;
    const nowMs = clock.now();
    const againMs = nowMs + LOOK_AGAIN_MS;
    if (untilMs <= nowMs) return clock.until(againMs, stop);
    await broker.wait(untilMs, stop);
    // Woken for something that may turn out not to be claimable.
    await clock.until(Math.min(untilMs, againMs), stop);
  }
}
