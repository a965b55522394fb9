import { closeSync, readFileSync, statSync, unlinkSync, writeSync } from "node:fs";
import { createStoreFile } from "./store-folder.ts";

/**
 * Which tasks an owner has started, for whoever takes over when it dies: a transaction per start would cost
 * more than most tasks do. Written entries outlive the process (not a power cut). Each entry has a place
 * that is used again once its tasks are settled, so one that is still needed is never overwritten.
 *
 * An entry is four little-endian 32-bit words: row (low, high), claim number, check; or, with another check: first
 * row (low, high), count of rows, check.
 */
const WORD_BYTES = 4;
const ENTRY_BYTES = 4 * WORD_BYTES;
const WORD = 2 ** 32;
const CHECK = 0x6d656d71; // a torn or empty entry does not pass for one
const STRETCH_CHECK = 0x71656d6d;

// Far more than one owner ever holds; a larger file is not ours.
const MAX_FILE_BYTES = 64 * 1024 * 1024;

/** A start: which task, and by which claim of it. */
export interface Flight {
  readonly row: number;
  readonly claimNumber: number;
}

/** Neighbouring rows, claimed for the first time, of which one after the other is started: nobody knows how far. */
export interface Stretch {
  readonly row: number;
  readonly count: number;
}

/** What a journal tells. */
export interface Flights {
  readonly started: readonly Flight[];
  readonly maybe: readonly Stretch[];
}

export class FlightJournal {
  readonly #path: string;
  readonly #descriptor: number;
  readonly #entry = Buffer.alloc(ENTRY_BYTES);
  readonly #free: number[] = [];
  #places = 0;

  /** @throws the file system's error when it cannot be made, or is there already. */
  constructor(path: string) {
    this.#path = path;
    this.#descriptor = createStoreFile(path);
  }

  /**
   * Notes starts and answers the place; undefined when the disk took only a part of it.
   * @throws the file system's error, e.g. when the disk is full.
   */
  note(starts: Flight | Stretch): number | undefined {
    const place = this.#free.at(-1) ?? this.#places;
    if ("count" in starts) encode(this.#entry, [starts.row, starts.count], STRETCH_CHECK);
    else encode(this.#entry, [starts.row, starts.claimNumber], CHECK);
    const written = writeSync(this.#descriptor, this.#entry, 0, ENTRY_BYTES, place * ENTRY_BYTES);
    if (written !== ENTRY_BYTES) return undefined;
    if (this.#free.pop() === undefined) this.#places++;
    return place;
  }

  /** The tasks at this place are settled. Its entry stays until another needs the place: it says nothing any more. */
  free(place: number): void {
    this.#free.push(place);
  }

  close(): void {
    closeSync(this.#descriptor);
    removeFlights(this.#path);
  }
}

/** What a journal tells; undefined when it cannot be read. No journal: nothing was started. */
export function readFlights(path: string): Flights | undefined {
  try {
    const stat = statSync(path, { throwIfNoEntry: false });
    if (stat === undefined) return { started: [], maybe: [] };
    return stat.isFile() && stat.size <= MAX_FILE_BYTES ? decode(readFileSync(path)) : undefined;
  } catch {
    return undefined; // gone or forbidden: who asks charges what is on record elsewhere
  }
}

/** Removes a journal that nobody needs any more. */
export function removeFlights(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // another process was faster, or this one may not: what is left is never read again
  }
}

function encode(entry: Buffer, [row, number]: readonly [number, number], kind: number): void {
  const low = row % WORD;
  const high = Math.floor(row / WORD);
  entry.writeUInt32LE(low, 0);
  entry.writeUInt32LE(high, WORD_BYTES);
  entry.writeUInt32LE(number % WORD, 2 * WORD_BYTES);
  entry.writeUInt32LE(checkOf([low, high, number % WORD], kind), 3 * WORD_BYTES);
}

function decode(bytes: Buffer): Flights {
  const started: Flight[] = [];
  const maybe: Stretch[] = [];
  for (let at = 0; at + ENTRY_BYTES <= bytes.length; at += ENTRY_BYTES) {
    const low = bytes.readUInt32LE(at);
    const high = bytes.readUInt32LE(at + WORD_BYTES);
    const number = bytes.readUInt32LE(at + 2 * WORD_BYTES);
    const check = bytes.readUInt32LE(at + 3 * WORD_BYTES);
    const row = high * WORD + low;
    if (check === checkOf([low, high, number], CHECK)) started.push({ row, claimNumber: number });
    if (check === checkOf([low, high, number], STRETCH_CHECK)) maybe.push({ row, count: number });
  }
  return { started, maybe };
}

const checkOf = ([low, high, number]: readonly [number, number, number], kind: number): number =>
  (low ^ Math.imul(high, 31) ^ Math.imul(number, 0x9e3779b1) ^ kind) >>> 0;
