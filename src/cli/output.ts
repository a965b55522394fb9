import { fstatSync, writeSync } from "node:fs";
import { MemqError } from "../errors.ts";
import type { Io } from "./io.ts";

// Long enough for what ends by itself, short enough for nobody to notice.
const LINGER_MS = 100;

/** A command's output, from its first line to its end. */
export interface Output {
  /** The same, but stdout and stderr are opened when they are first asked for: that takes a command 4 ms. */
  readonly io: Io;
  /** A line of data. */
  print(line: string): void;
  /** Talk, with its line ends, on stderr. Never throws. */
  talk(text: string): void;
  /** Resolves when everything written so far is. @throws MemqError OUTPUT_LOST */
  written(): Promise<void>;
  /** Lets the process end even when user code left a socket or a timer open. */
  endProcess(code: number): void;
}

/** Minds stdout and stderr: `memq list | head` closes the pipe early, and that is no error. */
export function watchOutput(io: Io): Output {
  return new WatchedOutput(io);
}

class WatchedOutput implements Output {
  readonly io: Io;
  readonly #given: Io;
  #stdout: Io["stdout"] | undefined;
  #stderr: Io["stderr"] | undefined;
  #failure: Error | undefined;

  constructor(given: Io) {
    this.#given = given;
    const stdout = (): Io["stdout"] => (this.#stdout ??= this.#openStdout());
    const stderr = (): Io["stderr"] => (this.#stderr ??= this.#openStderr());
    this.io = {
      get stdin() {
        return given.stdin;
      },
      get stdout() {
        return stdout();
      },
      get stderr() {
        return stderr();
      },
      get isWatched() {
        return (given !== process || isDevice(STDERR)) && stderr().isTTY === true;
      },
      env: given.env,
      cwd: () => given.cwd(),
      ...(given.exit !== undefined && { exit: (code: number) => given.exit?.(code) }),
    };
  }

  print(line: string): void {
    const left = this.#writeNow(`${line}\n`);
    if (left.length > 0) this.io.stdout.write(left);
  }

  talk(text: string): void {
    try {
      this.io.stderr.write(text);
    } catch {
      // A handler put something of its own there: its fault must not become the command's, and nobody is left to tell.
    }
  }

  async written(): Promise<void> {
    await this.#flushed();
    const cause = this.#failure;
    if (cause === undefined) return;
    throw new MemqError("OUTPUT_LOST", `standard output could not be written: ${cause.message}`, { cause });
  }

  endProcess(code: number): void {
    if (this.io.exit === undefined) return;
    void this.#flushed().then(() => {
      setTimeout(() => {
        this.io.exit?.(code);
      }, LINGER_MS).unref();
    });
  }

  #openStdout(): Io["stdout"] {
    return this.#given.stdout.on("error", (error: NodeJS.ErrnoException) => {
      this.#fail(error);
    });
  }

  #openStderr(): Io["stderr"] {
    return this.#given.stderr.on("error", () => undefined); // there is nowhere left to say it
  }

  #fail(error: NodeJS.ErrnoException): void {
    if (error.code !== "EPIPE") this.#failure = error;
  }

  /** Past the stream as long as there is none; what could not be written is left. */
  #writeNow(text: string): Uint8Array {
    const bytes = Buffer.from(text);
    if (this.#given !== process || this.#stdout !== undefined) return bytes;
    try {
      return bytes.subarray(writeSync(STDOUT, bytes));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "EAGAIN") return bytes; // the stream waits for its reader
      this.#fail(error as NodeJS.ErrnoException);
      return bytes.subarray(bytes.length);
    }
  }

  /** Resolves when stdout has taken everything, or never will; an error event comes before. */
  #flushed(): Promise<void> {
    const stdout = this.#stdout;
    if (stdout === undefined) return Promise.resolve();
    return new Promise((resolve) => {
      stdout.write("", () => {
        setImmediate(resolve);
      });
    });
  }
}

const STDOUT = 1;
const STDERR = 2;

/** What is none is no terminal either. */
function isDevice(file: number): boolean {
  try {
    return fstatSync(file).isCharacterDevice();
  } catch {
    return false; // it is closed
  }
}
