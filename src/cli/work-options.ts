import { resolve } from "node:path";
import { MemqError } from "../errors.ts";
import type { WorkOptions } from "../memq.ts";
import { size, span, wholeNumber } from "./option-values.ts";
import type { Parsed } from "./options.ts";
import type { Session } from "./shell.ts";

/** What the command line says of each worker. @throws MemqError USAGE */
export function workOptions({ io, parsed }: Session): WorkOptions {
  const maxTasks = wholeNumber(parsed, "max-tasks", 1);
  const maxMemoryBytes = size(parsed, "max-memory");
  const concurrency = wholeNumber(parsed, "concurrency", 1);
  const timeout = span(parsed, "timeout");
  const log = parsed.text("log");
  if (log === "") throw new MemqError("USAGE", "--log has no name");
  return {
    ...(maxTasks !== undefined && { maxTasks }),
    ...(maxMemoryBytes !== undefined && { maxMemoryBytes }),
    ...(concurrency !== undefined && { concurrency }),
    ...(timeout !== undefined && { timeout }),
    ...(log !== undefined && { log: resolve(io.cwd(), log) }),
  };
}

const PASSED_ON = ["config", "queue", "max-tasks", "max-memory", "concurrency", "timeout", "log"];

/** The command line of a worker's process. */
export function workerArgs({ parsed }: Session): readonly string[] {
  const options = workerOptions(parsed, PASSED_ON);
  const verbose = parsed.flag("verbose") ? ["--verbose"] : [];
  return ["work", ...options, ...verbose, "--", ...parsed.words];
}

/** Those of these options that were given, as one word each. */
export const workerOptions = (parsed: Parsed, names: readonly string[]): readonly string[] =>
  names.flatMap((name) => {
    const value = parsed.text(name);
    return value === undefined ? [] : [`--${name}=${value}`];
  });
