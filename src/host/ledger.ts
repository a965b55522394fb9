import {
  closeSync,
  fstatSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  statSync,
  unlinkSync,
} from "node:fs";
import { join } from "node:path";
import { appendWhole, makeGroupFolder } from "./group-file.ts";
import { encodeEntry, parseEntries, type LedgerEntry } from "./ledger-entry.ts";

// Some thousand records; with this many files in all the ledger stays below 2 MB.
const MOST_FILE_BYTES = 256 * 1_024;
const MOST_FILES = 6;
// What happened before the last season is no help with today's queue.
const MOST_AGE_MS = 90 * 86_400_000;
const NAME = /^ledger\.(\d{1,9})$/;

/**
 * What runs did, one line each, in numbered files of one folder. Lines are appended whole, and a full file is
 * followed by the next number: processes that do so at the same moment mean the same file, and nothing is ever
 * renamed under another's hands.
 */
export class Ledger {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  append(entry: LedgerEntry): void {
    makeGroupFolder(this.#folder);
    appendWhole(this.#path(this.#current(entry.at)), encodeEntry(entry));
  }

  /** All entries of the last 90 days, as they were appended. Lines that are none are passed over. */
  read(nowMs: number): readonly LedgerEntry[] {
    return this.#numbers()
      .flatMap((number) => this.#readFile(number))
      .filter(({ at }) => at > nowMs - MOST_AGE_MS);
  }

  /** The latest entries, as many as are read in no time. */
  readLast(): readonly LedgerEntry[] {
    const last = this.#numbers().at(-1);
    return last === undefined ? [] : parseEntries(readTail(this.#path(last)));
  }

  /** The number of the file to append to; what is too old or too much goes when a new one is begun. */
  #current(nowMs: number): number {
    const numbers = this.#numbers();
    const last = numbers.at(-1) ?? 0;
    const status = statSync(this.#path(last), { throwIfNoEntry: false });
    if (status === undefined || status.size < MOST_FILE_BYTES) return last;
    const kept = numbers.slice(1 - MOST_FILES);
    for (const number of numbers)
      if (!kept.includes(number) || this.#isOld(number, nowMs)) this.#remove(number);
    return last + 1;
  }

  #isOld(number: number, nowMs: number): boolean {
    const status = statSync(this.#path(number), { throwIfNoEntry: false });
    return status !== undefined && status.mtimeMs < nowMs - MOST_AGE_MS;
  }

  #remove(number: number): void {
    try {
      unlinkSync(this.#path(number));
    } catch {
      // another run removed it, or it stays one more file to remove
    }
  }

  #readFile(number: number): readonly LedgerEntry[] {
    try {
      return parseEntries(readFileSync(this.#path(number), "utf8"));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return []; // removed since it was listed
      throw error;
    }
  }

  #numbers(): readonly number[] {
    try {
      return readdirSync(this.#folder)
        .flatMap((name) => NAME.exec(name)?.[1] ?? [])
        .map(Number)
        .sort((a, b) => a - b);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return []; // nothing ever ran here
      throw error;
    }
  }

  #path(number: number): string {
    return join(this.#folder, `ledger.${String(number)}`);
  }
}

const TAIL_BYTES = 32 * 1_024; // about a hundred entries

/** The end of a file; the line it begins in may be torn. */
function readTail(path: string): string {
  const descriptor = openSync(path, "r");
  try {
    const { size } = fstatSync(descriptor);
    const bytes = Buffer.alloc(Math.min(size, TAIL_BYTES));
    const length = readSync(descriptor, bytes, 0, bytes.length, size - bytes.length);
    return bytes.toString("utf8", 0, length);
  } finally {
    closeSync(descriptor);
  }
}
