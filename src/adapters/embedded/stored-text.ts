/**
 * Text as the database keeps it: a driver may cut a text at a zero character, and half a surrogate pair has no
 * UTF-8. Ordinary keys stand in the file as they are; no two keys become the same.
 */
export const storedKey = (key: string): string => JSON.stringify(key).slice(1, -1);

/** The beginning of what an attempt said, in at most `maxChars`. */
export const storedError = (error: string, maxChars: number): string =>
  error.slice(0, maxChars).replaceAll("\u0000", "\ufffd");
