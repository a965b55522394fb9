import type { RunSlot } from "../host/run-slots.ts";
import { LEASE_MS, SURROUNDINGS_MS } from "../ports/broker.ts";

/**
 * What tells others on this host that a run has not come to a standstill. A handler that blocks keeps the whole
 * process, with all its queues, from saying so: for as long as the longest attempt may take.
 */
export class LifeSign {
  readonly #slots = new Set<RunSlot>();
  #timeoutMs = 0;
  #saidAtMs = 0;

  /** Says it for this slot too, in a queue whose attempts may take so long. Answers what ends that. */
  for(slot: RunSlot, timeoutMs: number): () => void {
    this.#slots.add(slot);
    this.#timeoutMs = Math.max(this.#timeoutMs, timeoutMs);
    this.renew();
    return () => this.#slots.delete(slot);
  }

  /** To be called now and then. */
  renew(): void {
    this.#saidAtMs = performance.now();
    for (const slot of this.#slots) slot.mayBlock(this.#timeoutMs + SURROUNDINGS_MS);
  }

  /** An attempt begins that may take so long. */
  attemptBegins(timeoutMs: number): void {
    const isLonger = timeoutMs > this.#timeoutMs;
    if (isLonger) this.#timeoutMs = timeoutMs;
    if (isLonger || performance.now() - this.#saidAtMs >= LEASE_MS / 3) this.renew();
  }
}
