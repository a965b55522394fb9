import type { ValueType } from "./reading.ts";

// A name becomes part of a memcached key of at most 250 bytes; the rest of the key takes less than 100.
const MAX_NAME_BYTES = 100;
const NAME = /^[\p{L}\p{M}\p{N}.:_-]+$/u;
const RESERVED: readonly string[] = [".", "..", "__proto__"];
const IDENTIFIER = /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u;

/**
 * Why `name` cannot name a queue, a schedule or an event; undefined when it can: 1 to 100 bytes of
 * letters and digits of any script, `.`, `:`, `_` and `-`, not starting with `-`.
 */
export function nameFault(name: string): string | undefined {
  if (name === "") return "is empty";
  if (Buffer.byteLength(name) > MAX_NAME_BYTES) return `is longer than ${String(MAX_NAME_BYTES)} bytes`;
  if (!NAME.test(name)) return "may hold only letters, digits, '.', ':', '_' and '-'";
  if (name.startsWith("-")) return "starts with '-', as only options do";
  return RESERVED.includes(name) ? "is reserved" : undefined;
}

export const NAME_TYPE: ValueType<string> = {
  name: "name",
  read: (text) => {
    const fault = nameFault(text);
    return fault === undefined ? { value: text } : { fault };
  },
};

export const CLASS_NAME: ValueType<string> = {
  name: "class name",
  read: (text) => (IDENTIFIER.test(text) ? { value: text } : { fault: "is not the name of a class" }),
};
