import { parseSize } from "../config/size.ts";
import { MemqError } from "../errors.ts";
import { makeDraft } from "../publish/draft.ts";
import { isLongDuration, parseDuration } from "../task/duration.ts";
import type { Parsed } from "./options.ts";

/** The whole number of an option; undefined when it was not given. @throws MemqError USAGE */
export function wholeNumber(parsed: Parsed, name: string, least: number): number | undefined {
  const text = parsed.text(name);
  if (text === undefined) return undefined;
  const value = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(value) && value >= least) return value;
  throw new MemqError("USAGE", `--${name} "${text}" is not a whole number from ${String(least)} on`);
}

/** The duration of an option in ms; undefined when it was not given. @throws MemqError USAGE */
export function duration(parsed: Parsed, name: string): number | undefined {
  const text = parsed.text(name);
  if (text === undefined) return undefined;
  const ms = parseDuration(text);
  if (ms !== undefined) return ms;
  if (isLongDuration(text))
    throw new MemqError("USAGE", `--${name} "${text}" is too long (at most 100 years)`);
  throw new MemqError("USAGE", `--${name} "${text}" is not a duration (try 60s or 5m)`);
}

/** The same where 0 would be no time at all. @throws MemqError USAGE */
export function span(parsed: Parsed, name: string): number | undefined {
  const ms = duration(parsed, name);
  if (ms === 0) throw new MemqError("USAGE", `--${name} is longer than 0 (try 60s or 5m)`);
  return ms;
}

/** The moment of an option, as it was written; undefined when it was not given. @throws MemqError USAGE */
export function moment(parsed: Parsed, name: string): string | undefined {
  const text = parsed.text(name);
  if (text === undefined) return undefined;
  try {
    makeDraft({ method: "any", args: [] }, { at: text }, 0);
    return text;
  } catch (cause) {
    if (!(cause instanceof MemqError)) throw cause;
    throw new MemqError("USAGE", `--${name} ${cause.message}`, { cause });
  }
}

/** The size of an option in bytes; undefined when it was not given. @throws MemqError USAGE */
export function size(parsed: Parsed, name: string): number | undefined {
  const text = parsed.text(name);
  if (text === undefined) return undefined;
  const bytes = parseSize(text);
  if (bytes !== undefined) return bytes;
  throw new MemqError("USAGE", `--${name} "${text}" is not a size (try 512M)`);
}

/** The value of an option that has a few; undefined when it was not given. @throws MemqError USAGE */
export function choice<T extends string>(parsed: Parsed, name: string, values: readonly T[]): T | undefined {
  const text = parsed.text(name);
  if (text === undefined) return undefined;
  const found = values.find((value) => value === text);
  if (found !== undefined) return found;
  throw new MemqError("USAGE", `--${name} "${text}" is none of ${values.join(", ")}`);
}
