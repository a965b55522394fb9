import { MemqError } from "../errors.ts";
import { nearest } from "./nearest.ts";

/**
 * Refuses an object with a member that nobody reads: a misspelt option would be taken for one that is not set.
 * `what`: what its members are called. @throws MemqError USAGE with a "did you mean".
 */
export function assertKnownNames(given: object, known: ReadonlySet<string>, what: string): void {
  for (const name in given) {
    if (known.has(name) || !Object.hasOwn(given, name)) continue;
    const near = nearest(name, known);
    const hint = near === undefined ? `there are ${[...known].join(", ")}` : `did you mean "${near}"?`;
    throw new MemqError("USAGE", `unknown ${what} "${name}", ${hint}`);
  }
}
