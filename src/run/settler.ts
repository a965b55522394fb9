import { MemqError } from "../errors.ts";
import type { Broker, Settled, Settlement } from "../ports/broker.ts";
import type { Listener, RunEvent } from "../telemetry/events.ts";

// What a kill may repeat: acknowledgements wait for each other at most this long.
const GROUP_MS = 5;
// One transaction or round trip of a good size, as large as a claim; more gains nothing.
const GROUP_LIMIT = 512;

/** What a settler works with. */
export interface SettlerParts {
  readonly broker: Broker;
  readonly tell: Listener;
  /** Told what made a group fail that nobody awaits. */
  readonly onFailure: (error: unknown) => void;
}

/** An outcome to record, and what is told once it is recorded. */
export interface Recorded extends Settlement {
  readonly event: RunEvent;
}

/** Groups the outcomes of fast tasks into one settle; slow, failed and last ones go at once. */
export class Settler {
  readonly #parts: SettlerParts;
  #pending: Recorded[] = [];
  #oldestAtMs = 0;
  #turn: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;

  constructor(parts: SettlerParts) {
    this.#parts = parts;
  }

  /**
   * Records an outcome. Undefined while the group may still grow, else a promise until it is settled.
   * `atOnce`: do not group it. `nowMs`: by the clock of performance.now, where that was just looked at.
   */
  add(recorded: Recorded, atOnce: boolean, nowMs = performance.now()): Promise<void> | undefined {
    if (this.#pending.push(recorded) === 1) this.#begin(nowMs);
    if (atOnce) return this.flush();
    const isOld = nowMs - this.#oldestAtMs >= GROUP_MS;
    return this.#pending.length < GROUP_LIMIT && !isOld ? undefined : this.#handOver();
  }

  /** A group is on its way while the next tasks run; no more than one is. */
  async #handOver(): Promise<void> {
    await this.#turn.catch(ignoreReported);
    this.flush().catch(this.#parts.onFailure);
    await eventLoopTurn();
  }

  /** Settles everything recorded so far. */
  flush(): Promise<void> {
    clearTimeout(this.#timer);
    // A group that failed was reported to who awaited it; the next ones are recorded all the same.
    this.#turn = this.#turn.catch(ignoreReported).then(() => this.#settlePending());
    return this.#turn;
  }

  /** A group must not wait for a slow task that comes after it. */
  #begin(nowMs: number): void {
    this.#oldestAtMs = nowMs;
    this.#timer = setTimeout(() => {
      this.flush().catch(this.#parts.onFailure);
    }, GROUP_MS);
  }

  async #settlePending(): Promise<void> {
    while (this.#pending.length > 0) {
      const group = this.#pending.splice(0, GROUP_LIMIT);
      const answers = await this.#settle(group);
      for (const [index, recorded] of group.entries()) this.#tell(recorded, answers[index]);
      await eventLoopTurn();
    }
  }

  // What the store was too busy for is known all the same: it is settled with the next flush, at the latest when
  // the run ends. Forgotten, it would be handed back as not done, and run twice.
  async #settle(group: readonly Recorded[]): Promise<readonly Settled[]> {
    try {
      return await this.#parts.broker.settle(group);
    } catch (error) {
      if (isUntouched(error)) this.#pending.unshift(...group);
      else this.#tellUnrecorded(group);
      throw error;
    }
  }

  /** To be called when nothing more will be flushed: what could not be recorded by now is told. */
  giveUp(): void {
    this.#tellUnrecorded(this.#pending.splice(0));
  }

  // They are not told as done: whoever counts would count them again when they run again.
  #tellUnrecorded(group: readonly Recorded[]): void {
    const { broker, tell } = this.#parts;
    for (const { claim } of group) tell({ kind: "unrecorded", queue: broker.queue, task: claim.task });
  }

  #tell({ claim, event }: Recorded, answer: Settled | undefined): void {
    const { broker, tell } = this.#parts;
    const { queue } = broker;
    const isSettled = answer === "settled" || answer === "unkept";
    tell(isSettled ? event : { kind: "leaseLost", queue, task: claim.task });
    if (answer === "unkept") tell({ kind: "finding", queue, finding: { kind: "unkept", id: claim.task.id } });
  }
}

/** Errors after which certainly nothing of a settle is recorded, so that it can be repeated. */
const isUntouched = (error: unknown): boolean =>
  error instanceof MemqError && (error.code === "BUSY" || error.code === "STORE_FULL");

const ignoreReported = (): void => undefined;

/** Synchronous handlers on a synchronous store would otherwise keep signals and timers waiting. */
const eventLoopTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
