import { closeSync, openSync, writeSync } from "node:fs";
import { resolve } from "node:path";
import { describeError, MemqError, type ErrorCode } from "../errors.ts";
import type { Session } from "./shell.ts";

/** A line that was refused. */
export interface RefusedLine {
  readonly line: number;
  readonly reason: string;
  readonly code: ErrorCode;
  /** What stood there; undefined: too long to hold. */
  readonly text?: string | undefined;
}

/** The file of --errors: a JSON object for each line that was refused. */
export class ErrorsFile {
  readonly path: string;
  readonly #descriptor: number;

  /** Begins the file anew unless a bulk is gone on with. @throws MemqError USAGE when it cannot be written. */
  constructor(path: string, { io }: Session, goesOn: boolean) {
    this.path = path;
    try {
      this.#descriptor = openSync(resolve(io.cwd(), path), goesOn ? "a" : "w");
    } catch (cause) {
      throw new MemqError("USAGE", `--errors ${path} cannot be written: ${describeError(cause)}`, { cause });
    }
  }

  write(lines: readonly RefusedLine[]): void {
    if (lines.length === 0) return;
    const text = lines.map((line) => `${JSON.stringify(line)}\n`).join("");
    try {
      writeSync(this.#descriptor, text);
    } catch (cause) {
      throw new MemqError("OUTPUT_LOST", `--errors ${this.path}: ${describeError(cause)}`, { cause });
    }
  }

  close(): void {
    closeSync(this.#descriptor);
  }
}
