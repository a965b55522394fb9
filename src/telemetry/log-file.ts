import { accessSync, closeSync, constants, fstatSync, statSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { describeError } from "../errors.ts";
import { openToAppend } from "../host/group-file.ts";

// A file that was moved away by a rotation is left within this time.
const LOOK_MS = 1_000;

/**
 * A log that overlapping runs append to: each line is one write at the end of the file, so that no line is torn.
 * A log that cannot be written harms no task; `fault` says why.
 */
export class LogFile {
  readonly #path: string;
  #descriptor: number | undefined;
  #lookedAtMs = 0;
  #fault: unknown;

  constructor(path: string) {
    this.#path = path;
  }

  /** The first thing that went wrong; undefined: nothing did. */
  get fault(): unknown {
    return this.#fault;
  }

  /** Appends a line; `line` holds no line end. */
  write(line: string): void {
    try {
      writeSync(this.#open(), `${line}\n`);
    } catch (error) {
      this.#fault ??= error;
    }
  }

  close(): void {
    if (this.#descriptor !== undefined) closeSync(this.#descriptor);
    this.#descriptor = undefined;
  }

  #open(): number {
    if (this.#descriptor !== undefined && this.#isMoved(this.#descriptor)) this.close();
    this.#descriptor ??= openToAppend(this.#path);
    return this.#descriptor;
  }

  #isMoved(descriptor: number): boolean {
    const nowMs = performance.now();
    if (nowMs - this.#lookedAtMs < LOOK_MS) return false;
    this.#lookedAtMs = nowMs;
    const there = statSync(this.#path, { throwIfNoEntry: false });
    const open = fstatSync(descriptor);
    return there === undefined || there.ino !== open.ino || there.dev !== open.dev;
  }
}

/** Why a log could not be written, for people; undefined: it could. Makes no file. */
export function logFault(path: string): string | undefined {
  try {
    const there = statSync(path, { throwIfNoEntry: false });
    if (there?.isDirectory() === true) return "it is a folder";
    accessSync(there === undefined ? dirname(path) : path, constants.W_OK);
    return undefined;
  } catch (error) {
    return describeError(error);
  }
}
