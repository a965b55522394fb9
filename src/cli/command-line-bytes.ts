import { isUtf8 } from "node:buffer";
import { readFileSync } from "node:fs";
import { MemqError } from "../errors.ts";

// What Node puts, without a word, in the place of bytes that are no UTF-8.
const REPLACED = "\ufffd";

/**
 * Refuses words of this process's command line that Node had to alter: a task would get another text than was
 * written. `commandLine`: its bytes; undefined where the system does not show them, and then nothing is known.
 * @throws MemqError ARGS_INVALID
 */
export function assertUnaltered(words: readonly string[], commandLine = ownBytes): void {
  const altered = words.find((word) => word.includes(REPLACED));
  if (altered === undefined) return;
  const bytes = commandLine();
  if (bytes === undefined || isUtf8(bytes)) return; // it was typed as it is
  throw new MemqError(
    "ARGS_INVALID",
    `the argument ${JSON.stringify(altered)} is not UTF-8: convert it, for instance with iconv -t UTF-8`,
  );
}

function ownBytes(): Buffer | undefined {
  try {
    return readFileSync("/proc/self/cmdline");
  } catch {
    return undefined; // not a system that has it
  }
}
