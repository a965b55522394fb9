import { MemqError } from "../errors.ts";
import { nearest } from "./nearest.ts";

/**
 * Refuses an object with a member that nobody reads: a misspelt option would be taken for one that is not set.
 * `what`: what its members are called. @throws MemqError USAGE with a "did you mean"; for what is no object
 */
export function assertKnownNames(given: object, known: ReadonlySet<string>, what: string): void {
  assertObject(given, what);
  for (const name in given) {
    if (known.has(name) || !Object.hasOwn(given, name)) continue;
    const near = nearest(name, known);
    const hint = near === undefined ? `there are ${[...known].join(", ")}` : `did you mean "${near}"?`;
    throw new MemqError("USAGE", `unknown ${what} "${name}", ${hint}`);
  }
}

// Plain JavaScript can pass anything: `call("sum", [1], 30)` would wait for another time than was meant.
function assertObject(given: unknown, what: string): void {
  if (typeof given === "object" && given !== null) return;
  throw new MemqError(
    "USAGE",
    `every ${what} is in an object, not in ${given === null ? "null" : typeof given}`,
  );
}
