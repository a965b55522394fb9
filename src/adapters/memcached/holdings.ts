import type { Claim } from "../../ports/broker.ts";
import type { Control } from "./control.ts";
import { HeldClaim } from "./held-claim.ts";
import type { Hold, HeldTask } from "./hold.ts";

/** Everything that this owner holds, and what of it may be handed out. */
export class Holdings {
  readonly #holds: Hold[] = [];

  get holds(): readonly Hold[] {
    return this.#holds;
  }

  add(hold: Hold): void {
    this.#holds.push(hold);
  }

  /** A task that takes the place of one that was handed out. */
  addTask(task: HeldTask): void {
    const { hold } = task.record;
    hold.order.push(task);
    hold.reorder();
  }

  /** The stake has gone from the block, or is another owner's. */
  remove(hold: Hold): void {
    const at = this.#holds.indexOf(hold);
    if (at >= 0) this.#holds.splice(at, 1);
  }

  /** The task of a claim; undefined when it is not held (any more). */
  find(claim: Claim): HeldTask | undefined {
    const task = HeldClaim.heldBy(claim) ?? this.#withReceipt(claim.receipt);
    return task !== undefined && this.#holds.includes(task.record.hold) ? task : undefined;
  }

  #withReceipt(receipt: string): HeldTask | undefined {
    for (const { order } of this.#holds) {
      const found = order.find(({ claim }) => claim.receipt === receipt);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** How many tasks are started and not settled. */
  get started(): number {
    return this.#holds.reduce((sum, hold) => sum + hold.startedCount, 0);
  }

  /** Whether a suspect was handed out and is not settled. */
  get isAloneOut(): boolean {
    return this.#holds.some((hold) => hold.aloneCount > 0 && hold.outCount > 0);
  }

  /** Marks the holds that the block does not give to this owner any more. */
  compare(control: Control | undefined): void {
    for (const hold of this.#holds) if (control === undefined || !hold.stands(control)) hold.isLost = true;
  }

  /** The lease has ended: what was not started must not be. */
  lapse(): void {
    for (const hold of this.#holds) hold.hasLapsed = true;
  }

  /** Whether anything is in hand: handed out and not settled. */
  get isAnyOut(): boolean {
    return this.#holds.some((hold) => hold.outCount > 0);
  }

  /**
   * Up to `limit` tasks, in order. Suspects come first, each by itself and only when nothing else is in hand;
   * until it is settled nothing else is handed out.
   */
  take(limit: number): readonly Claim[] {
    if (this.isAloneOut) return [];
    const suspect = this.isAnyOut ? undefined : this.#firstSuspect();
    const taken = suspect === undefined ? this.#innocents(limit) : [suspect];
    for (const task of taken) task.record.handOut(task);
    return taken.map(({ claim }) => claim);
  }

  /** Tasks that wait to be handed out. */
  get pooledCount(): number {
    return this.#pools().reduce((sum, order) => sum + order.filter(isPooled).length, 0);
  }

  #firstSuspect(): HeldTask | undefined {
    for (const order of this.#pools()) {
      const suspect = order.find((task) => isPooled(task) && task.claim.alone);
      if (suspect !== undefined) return suspect;
    }
    return undefined;
  }

  #innocents(limit: number): readonly HeldTask[] {
    const taken: HeldTask[] = [];
    for (const order of this.#pools()) {
      for (const task of order) {
        if (taken.length === limit) return taken;
        if (isPooled(task) && !task.claim.alone) taken.push(task);
      }
    }
    return taken;
  }

  #pools(): readonly (readonly HeldTask[])[] {
    return this.#holds.flatMap((hold) => (hold.isLost || hold.hasLapsed ? [] : [hold.order]));
  }
}

const isPooled = ({ phase }: HeldTask): boolean => phase === "pooled";
