import type { Broker, Claim, Settled, Settlement } from "../ports/broker.ts";
import type { Outcome } from "../task/outcome.ts";

// What a kill may repeat: acknowledgements wait for each other at most this long.
const GROUP_MS = 5;
// One transaction or round trip of a good size; more gains nothing.
const GROUP_LIMIT = 256;

/** Groups the outcomes of fast tasks into one settle; slow, failed and last ones go at once. */
export class Settler {
  readonly #broker: Broker;
  readonly #onLost: (claim: Claim) => void;
  #pending: Settlement[] = [];
  #oldestAtMs = 0;
  #turn: Promise<void> = Promise.resolve();

  constructor(broker: Broker, onLost: (claim: Claim) => void) {
    this.#broker = broker;
    this.#onLost = onLost;
  }

  /**
   * Records an outcome. Resolves at once while the group may still grow, else when it is settled.
   * `atOnce`: do not group it.
   */
  add(claim: Claim, outcome: Outcome, atOnce: boolean): Promise<void> | undefined {
    if (this.#pending.length === 0) this.#oldestAtMs = performance.now();
    this.#pending.push({ claim, outcome });
    if (!atOnce && this.#pending.length < GROUP_LIMIT && !this.#isOld()) return undefined;
    return this.flush();
  }

  /** Settles everything recorded so far. */
  flush(): Promise<void> {
    this.#turn = this.#turn.then(() => this.#settlePending());
    return this.#turn;
  }

  #isOld(): boolean {
    return performance.now() - this.#oldestAtMs >= GROUP_MS;
  }

  async #settlePending(): Promise<void> {
    if (this.#pending.length === 0) return;
    const group = this.#pending;
    this.#pending = [];
    const answers = await this.#broker.settle(group);
    for (const [index, answer] of answers.entries()) this.#judge(answer, group[index]);
    await eventLoopTurn();
  }

  #judge(answer: Settled, settlement: Settlement | undefined): void {
    if (answer === "lost" && settlement !== undefined) this.#onLost(settlement.claim);
  }
}

/** Synchronous handlers on a synchronous store would otherwise keep signals and timers waiting. */
const eventLoopTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
