import { formatDuration } from "../task/duration.ts";
import type { Io } from "./io.ts";

const REDRAW_MS = 200; // faster than that, nobody reads
const CLEAR_LINE = "\r\u001b[2K";
const WIDTH = 80; // of a terminal that does not know its own
const FIRST_GUESS_MS = 1_000; // before that a rate says nothing

/** What a bulk is told to be at. */
export interface BulkStand {
  readonly lines: number;
  /** The share of the input that is read, from 0 to 1. */
  readonly share: number | undefined;
  readonly refused: number;
}

/** A live line of a bulk on a terminal; nothing elsewhere. */
export class BulkProgress {
  readonly #io: Io;
  readonly #isShown: boolean;
  readonly #startedAtMs = performance.now();
  #first: BulkStand | undefined;
  #drawnAtMs = -Infinity;

  constructor(io: Io, quiet: boolean) {
    this.#io = io;
    this.#isShown = io.stderr.isTTY === true && !quiet;
  }

  show(stand: BulkStand): void {
    if (!this.#isShown) return;
    this.#first ??= stand;
    const nowMs = performance.now();
    if (nowMs - this.#drawnAtMs < REDRAW_MS) return;
    this.#drawnAtMs = nowMs;
    const { columns = 0 } = this.#io.stderr;
    const text = standText(stand, this.#first, nowMs - this.#startedAtMs);
    this.#io.stderr.write(`${CLEAR_LINE}${text.slice(0, (columns > 0 ? columns : WIDTH) - 1)}`);
  }

  /** Something else is about to be written. */
  clear(): void {
    if (this.#isShown && this.#first !== undefined) this.#io.stderr.write(CLEAR_LINE);
  }
}

/** `120000 lines, 48000/s, 34 %, 5s left, 3 refused`. `first`: from where the rate counts. */
export function standText(stand: BulkStand, first: BulkStand, elapsedMs: number): string {
  const { lines, share, refused } = stand;
  const parts = [`${String(lines)} lines`];
  if (elapsedMs >= FIRST_GUESS_MS) {
    parts.push(`${String(Math.round(((lines - first.lines) * 1_000) / elapsedMs))}/s`);
  }
  if (share !== undefined) parts.push(`${String(Math.floor(Math.min(share, 1) * 100))} %`);
  const leftMs = timeLeft(share, first.share, elapsedMs);
  if (leftMs !== undefined) parts.push(`${formatDuration(leftMs)} left`);
  if (refused > 0) parts.push(`${String(refused)} refused`);
  return parts.join(", ");
}

function timeLeft(
  share: number | undefined,
  first: number | undefined,
  elapsedMs: number,
): number | undefined {
  if (share === undefined || first === undefined || elapsedMs < FIRST_GUESS_MS || share <= first)
    return undefined;
  return Math.round(((Math.max(0, 1 - share) / (share - first)) * elapsedMs) / 1_000) * 1_000;
}
