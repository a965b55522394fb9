import type { Keys } from "./names.ts";
import type { Session } from "./session.ts";
import type { Answer, Operation } from "./wire.ts";

// One for the control block, some for owners that join while memory is full.
const PIECES = 4;

/**
 * Memory set aside on the server. A full server can replace nothing, not even the control block that has to
 * move for the queue to be drained: then the reserve makes room, and is put back as soon as there is some.
 */
export class Reserve {
  readonly #session: Session;
  readonly #keys: Keys;
  /** Sizes known to be in place. */
  readonly #whole = new Set<number>();

  constructor(session: Session, keys: Keys) {
    this.#session = session;
    this.#keys = keys;
  }

  /** The operations that set aside memory for items of `bytes`. */
  setAside(bytes: number): readonly Operation[] {
    return this.#pieces(bytes).map((key) => ({ kind: "add", key, value: "-".repeat(bytes) }));
  }

  /** Does an operation that found no memory once more, in the place of the reserve. */
  async instead(operation: Operation, bytes: number): Promise<Answer> {
    const gone = this.#pieces(bytes).map((key): Operation => ({ kind: "delete", key }));
    const answers = await this.#session.ask([...gone, operation, ...this.setAside(bytes)]);
    this.#note(bytes, answers.slice(gone.length + 1));
    return answers[gone.length] ?? { kind: "unknown" };
  }

  /** Puts back what is missing; costs nothing when nothing is. */
  async restore(bytes: number): Promise<void> {
    if (this.#whole.has(bytes)) return;
    this.#note(bytes, await this.#session.ask(this.setAside(bytes)));
  }

  #note(bytes: number, added: readonly Answer[]): void {
    if (added.every((answer) => answer.kind === "ok" || answer.kind === "exists")) this.#whole.add(bytes);
    else this.#whole.delete(bytes);
  }

  #pieces(bytes: number): readonly string[] {
    return Array.from({ length: PIECES }, (_, piece) => this.#keys.reserve(bytes, piece));
  }
}
