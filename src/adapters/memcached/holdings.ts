import type { Claim } from "../../ports/broker.ts";
import type { Control } from "./control.ts";
import type { Hold, HeldTask } from "./hold.ts";

/** Everything that this owner holds, and what of it may be handed out. */
export class Holdings {
  readonly #holds: Hold[] = [];
  readonly #byReceipt = new Map<string, HeldTask>();

  get holds(): readonly Hold[] {
    return this.#holds;
  }

  add(hold: Hold): void {
    this.#holds.push(hold);
    for (const task of hold.order) this.#byReceipt.set(task.claim.receipt, task);
  }

  /** A task that takes the place of one that was handed out. */
  addTask(task: HeldTask): void {
    const { hold } = task.record;
    hold.order.push(task);
    hold.reorder();
    this.#byReceipt.set(task.claim.receipt, task);
  }

  /** The stake has gone from the block, or is another owner's. */
  remove(hold: Hold): void {
    const at = this.#holds.indexOf(hold);
    if (at >= 0) this.#holds.splice(at, 1);
    for (const task of hold.order) this.#byReceipt.delete(task.claim.receipt);
  }

  /** The task of a claim; undefined when it is not held (any more). */
  find({ receipt }: Claim): HeldTask | undefined {
    return this.#byReceipt.get(receipt);
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
    const pooled = [...this.#pooled()];
    const suspect = pooled.find(({ claim }) => claim.alone);
    const others = pooled.filter(({ claim }) => !claim.alone).slice(0, limit);
    const taken = suspect === undefined || this.isAnyOut ? others : [suspect];
    for (const task of taken) task.record.handOut(task);
    return taken.map(({ claim }) => claim);
  }

  /** Tasks that wait to be handed out. */
  get pooledCount(): number {
    return [...this.#pooled()].length;
  }

  *#pooled(): Iterable<HeldTask> {
    for (const hold of this.#holds) {
      if (hold.isLost || hold.hasLapsed) continue;
      for (const task of hold.order) if (task.phase === "pooled") yield task;
    }
  }
}
