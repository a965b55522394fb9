/** Rings when a task may have become claimable. */
export class Bell {
  readonly #listeners = new Set<() => void>();
  #rings = 0;

  /** How often it has rung: who remembers the count sees that a ring was missed. */
  get rings(): number {
    return this.#rings;
  }

  ring(): void {
    this.#rings += 1;
    for (const listener of [...this.#listeners]) listener();
  }

  /** Answers how to stop listening. */
  listen(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
