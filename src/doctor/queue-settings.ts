import { EXIT } from "../errors.ts";
import { fail, ok, warn, type Verdict } from "./verdict.ts";

// What `openssl rand -hex 16` gives; a word can be guessed by whoever has one signed task.
const SHORTEST_SECRET = 32;

/** Judges the secret of a queue; undefined where there is none. */
export function judgeSecret(secret: string | undefined): Verdict | undefined {
  if (secret === undefined) return undefined;
  if (secret.length >= SHORTEST_SECRET) return ok("secret", "tasks are signed, and unsigned ones refused");
  return warn("secret", {
    says: `tasks are signed, but the secret has only ${String(secret.length)} characters: it may be guessed`,
    fix: "use a long random one: openssl rand -hex 32",
  });
}

/** Judges the file of `log`; `fault`: why it cannot be written. */
export function judgeLog(path: string, fault: string | undefined): Verdict {
  if (fault === undefined) return ok("log", `${path} can be written`);
  return fail("log", EXIT.config, {
    says: `${path} cannot be written: ${fault}`,
    fix: "make it writable, or name another file with log",
  });
}

/** Judges handler classes and their methods. */
export function judgeHandlers(
  classes: readonly { readonly name: string; readonly methods: number }[],
): Verdict {
  const shown = classes.slice(0, MOST_CLASSES).map(({ name, methods }) => `${name} (${counted(methods)})`);
  const more = classes.length - shown.length;
  const says = `${shown.join(", ")}${more > 0 ? ` and ${String(more)} more` : ""}`;
  const empty = classes.filter(({ methods }) => methods === 0).map(({ name }) => name);
  if (empty.length === 0) return ok("handlers", says);
  return warn("handlers", {
    says: `${says}: ${empty.join(", ")} has no method that a task may call`,
    fix: "callable are a class's own public methods, unless static tasks says otherwise",
  });
}

const MOST_CLASSES = 10;
const counted = (methods: number): string => `${String(methods)} ${methods === 1 ? "method" : "methods"}`;
