/** A thrown value as one line for people. Anything can be thrown, and looking at it may throw too. */
export function describeError(thrown: unknown): string {
  try {
    return describe(thrown);
  } catch {
    return "threw a value that cannot be shown";
  }
}

function describe(thrown: unknown): string {
  if (typeof thrown === "string" && thrown !== "") return thrown;
  const said = typeof thrown === "object" && thrown !== null ? wordsOf(thrown) : undefined;
  if (said !== undefined) return said;
  const shown = JSON.stringify(thrown) as string | undefined; // undefined for a function or a symbol
  return `threw ${shown ?? typeof thrown}`;
}

function wordsOf(thrown: {
  readonly name?: unknown;
  readonly message?: unknown;
  readonly errors?: unknown;
}): string | undefined {
  const { name, message, errors } = thrown;
  if (typeof message === "string" && message !== "") return message;
  // Node's failed connections: the message is empty, what happened stands in the parts.
  if (Array.isArray(errors) && errors.length > 0) return errors.slice(0, 3).map(describeError).join("; ");
  return thrown instanceof Error && typeof name === "string" && name !== "" ? name : undefined;
}
