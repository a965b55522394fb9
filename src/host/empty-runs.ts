import { statSync } from "node:fs";
import { join } from "node:path";
import { appendWhole, makeGroupFolder } from "./group-file.ts";

/** How often runs found nothing to do. */
export interface EmptyRuns {
  readonly count: number;
  /** When the last one was, in ms since 1970. */
  readonly lastAt: number;
}

/**
 * Counts runs that found nothing to do: a byte each, appended to a file whose time is the last one's. Nothing
 * has to be read for it, and runs that do so at the same moment are all counted. A run each minute makes half
 * a megabyte in a year.
 */
export function countEmptyRun(folder: string, queue: string): void {
  const path = join(folder, queue);
  try {
    appendWhole(path, ".");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    makeGroupFolder(folder);
    appendWhole(path, ".");
  }
}

/** Undefined: there was none yet. */
export function emptyRuns(folder: string, queue: string): EmptyRuns | undefined {
  const path = join(folder, queue);
  const status = statSync(path, { throwIfNoEntry: false });
  if (status === undefined) return undefined;
  return { count: status.size, lastAt: status.mtimeMs };
}
