// Enough to see what is wrong; cron mails every line.
const MOST_ALIKE = 5;
// Errors that all differ are no repetition, but the memory for them is bounded.
const MOST_KINDS = 200;

/** What is said once more and again. */
interface Kind {
  readonly from: string;
  readonly about: string;
  said: number;
}

/** A line, and what makes it like others. */
export interface Repeatable {
  readonly line: string;
  /** Whose line it is, e.g. `memq push`. */
  readonly from: string;
  /** What the line and those like it are about, e.g. `RangeError: no such user`. */
  readonly about: string;
}

/** Says the first few lines of a kind, and at the end how many more there were. */
export class RateLimit {
  readonly #say: (line: string) => void;
  readonly #kinds = new Map<string, Kind>();

  constructor(say: (line: string) => void) {
    this.#say = say;
  }

  say({ line, ...kind }: Repeatable): void {
    const known = this.#kindOf(kind);
    known.said++;
    if (known.said <= MOST_ALIKE) this.#say(line);
  }

  /** To be called when nothing more will be said, or when what was said often is news again. */
  end(): void {
    for (const { from, about, said } of this.#kinds.values()) {
      if (said > MOST_ALIKE) {
        this.#say(`${from}: … ${String(said - MOST_ALIKE)} more like this: ${about}`);
      }
    }
    this.#kinds.clear();
  }

  #kindOf({ from, about }: Omit<Repeatable, "line">): Kind {
    const isFull = this.#kinds.size >= MOST_KINDS;
    const name = alike(`${from}: ${about}`);
    const known = this.#kinds.get(name) ?? (isFull ? this.#kinds.get(OTHERS) : undefined);
    if (known !== undefined) return known;
    const kind = isFull ? { from, about: OTHERS, said: 0 } : { from, about, said: 0 };
    this.#kinds.set(isFull ? OTHERS : name, kind);
    return kind;
  }
}

const OTHERS = "other errors";

/** Errors that differ in numbers only (ids, ports, times) are the same error. */
const alike = (text: string): string => text.replace(/[0-9a-f]*\d[0-9a-f]*/gi, "0");
