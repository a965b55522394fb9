import type { MemqError } from "../errors.ts";
import type { Session } from "./shell.ts";

/** Why something that has a name could not be done, looked at or used. */
export interface NamedFailure {
  readonly name: string;
  readonly error: MemqError;
}

/**
 * Tells failures. What several share, such as the full disk or the server under them, is said once, with all their
 * names. Answers how many were told.
 */
export function tellFailures(
  session: Pick<Session, "complainOf">,
  noun: "queue" | "schedule",
  failures: readonly NamedFailure[],
): number {
  const isAlike = (a: NamedFailure, b: NamedFailure): boolean =>
    a.error.code === b.error.code && a.error.message === b.error.message;
  const firsts = failures.filter((one, i) => failures.findIndex((other) => isAlike(one, other)) === i);
  for (const first of firsts) {
    const names = failures.filter((one) => isAlike(one, first)).map(({ name }) => `"${name}"`);
    session.complainOf(first.error, `${noun}${names.length > 1 ? "s" : ""} ${names.join(", ")}`);
  }
  return firsts.length;
}
