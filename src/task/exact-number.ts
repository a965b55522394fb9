const QUOTED = /"[^"\\]*(?:\\.[^"\\]*)*"/gs;
const NUMBERS = /-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;
const LONG_DIGITS = /\d{16}/; // 2^53 has 16 digits
const INTEGER = /^-?\d+$/;

/**
 * The first integer in JSON text that a number cannot hold exactly, such as a 19-digit user id; undefined
 * when there is none. JSON.parse rounds it without a word.
 */
export function inexactInteger(json: string): string | undefined {
  if (!LONG_DIGITS.test(json)) return undefined;
  const numbers = json.replace(QUOTED, "").match(NUMBERS) ?? [];
  return numbers.find((text) => INTEGER.test(text) && !Number.isSafeInteger(Number(text)));
}
