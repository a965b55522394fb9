import type { ValueType } from "./reading.ts";

// A name becomes part of a memcached key of at most 250 bytes; the rest of the key takes less than 100.
const MAX_NAME_BYTES = 100;
// The letters of all scripts take a command a millisecond to load: those of ASCII are tried first.
const ASCII_NAME = /^[\w.:-]+$/;
const ASCII_IDENTIFIER = /^[A-Za-z$_][\w$]*$/;
const RESERVED: readonly string[] = [".", "..", "__proto__"];

/**
 * Why `name` cannot name a queue, a schedule or an event; undefined when it can: 1 to 100 bytes of
 * letters and digits of any script, `.`, `:`, `_` and `-`, not starting with `-`.
 */
export function nameFault(name: string): string | undefined {
  if (name === "") return "is empty";
  if (Buffer.byteLength(name) > MAX_NAME_BYTES) return `is longer than ${String(MAX_NAME_BYTES)} bytes`;
  if (!isName(name)) return "may hold only letters, digits, '.', ':', '_' and '-'";
  if (name.startsWith("-")) return "starts with '-', as only options do";
  return RESERVED.includes(name) ? "is reserved" : undefined;
}

const isName = (text: string): boolean => ASCII_NAME.test(text) || /^[\p{L}\p{M}\p{N}.:_-]+$/u.test(text);

const isIdentifier = (text: string): boolean =>
  ASCII_IDENTIFIER.test(text) || /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(text);

export const NAME_TYPE: ValueType<string> = {
  name: "name",
  read: (text) => {
    const fault = nameFault(text);
    return fault === undefined ? { value: text } : { fault };
  },
};

export const CLASS_NAME: ValueType<string> = {
  name: "class name",
  read: (text) => (isIdentifier(text) ? { value: text } : { fault: "is not the name of a class" }),
};
