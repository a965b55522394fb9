import { MemqError } from "../errors.ts";
import type { Io } from "./io.ts";

// Long enough for what ends by itself, short enough for nobody to notice.
const LINGER_MS = 100;

/** The end of a command's output. */
export interface Output {
  /** Resolves when everything written so far is. @throws MemqError OUTPUT_LOST */
  written(): Promise<void>;
  /** Lets the process end even when user code left a socket or a timer open. */
  endProcess(code: number): void;
}

/** Minds stdout and stderr: `memq list | head` closes the pipe early, and that is no error. */
export function watchOutput(io: Io): Output {
  let failure: Error | undefined;
  io.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") failure = error;
  });
  io.stderr.on("error", () => undefined); // there is nowhere left to say it
  return {
    written: async () => {
      await flushed(io);
      if (failure === undefined) return;
      throw new MemqError("OUTPUT_LOST", `standard output could not be written: ${failure.message}`, {
        cause: failure,
      });
    },
    endProcess: (code) => {
      if (io.exit === undefined) return;
      void flushed(io).then(() => {
        setTimeout(() => io.exit?.(code), LINGER_MS).unref();
      });
    },
  };
}

/** Resolves when stdout has taken everything, or never will; an error event comes before. */
const flushed = (io: Io): Promise<void> =>
  new Promise((resolve) => {
    io.stdout.write("", () => {
      setImmediate(resolve);
    });
  });
