import type { ErrorCode } from "../errors.ts";
import { printable } from "./printable.ts";

/** What a bulk counts: the lines of its input, or the tasks of --count. */
export type BulkNoun = "line" | "task";

interface Refusal {
  readonly from: number;
  readonly to: number;
  readonly reason: string;
  readonly code: ErrorCode;
}

const MOST_TOLD = 20; // a screenful

/** Tells which lines of a bulk were refused, and why; neighbours of the same fate in one sentence. */
export class RefusedLines {
  readonly #noun: BulkNoun;
  readonly #tell: (text: string) => void;
  #open: Refusal | undefined;
  #told = 0;
  #untold = 0;

  constructor(noun: BulkNoun, tell: (text: string) => void) {
    this.#noun = noun;
    this.#tell = tell;
  }

  /** How many were not told one by one: too many stood before them. */
  get untold(): number {
    return this.#untold;
  }

  add(line: number, code: ErrorCode, reason: string): void {
    const open = this.#open;
    if (open?.code === code && open.reason === reason && open.to === line - 1) {
      this.#open = { ...open, to: line };
      return;
    }
    this.close();
    this.#open = { from: line, to: line, reason, code };
  }

  /** Tells what may have waited for a neighbour. */
  close(): void {
    const open = this.#open;
    this.#open = undefined;
    if (open === undefined) return;
    if (this.#told < MOST_TOLD) {
      this.#told++;
      this.#tell(`${this.#where(open)}: ${printable(open.reason)} [${open.code}]`);
    } else this.#untold += open.to - open.from + 1;
  }

  #where({ from, to }: Refusal): string {
    return from === to ? `${this.#noun} ${String(from)}` : `${this.#noun}s ${String(from)}-${String(to)}`;
  }
}
