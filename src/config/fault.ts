import { MemqError } from "../errors.ts";

/** Where a text was written. */
export type Origin =
  | { readonly kind: "file" }
  | { readonly kind: "line"; readonly line: number }
  | { readonly kind: "variable"; readonly name: string }
  | { readonly kind: "flag"; readonly name: string }
  /** Of a configuration given as an object; `path` as in `queue.push.timeout`. */
  | { readonly kind: "member"; readonly path: string };

/** One thing that is wrong in a configuration. */
export interface Fault {
  readonly origin: Origin;
  readonly says: string;
  /** The section that it spoils, e.g. `queue.push`; undefined: the top level, and so every queue. */
  readonly section?: string;
}

// A binary file has thousands of faults; the first ones tell what is wrong with it.
const MAX_FAULTS_SHOWN = 20;
const MAX_QUOTED_LENGTH = 60;
// Invisible, or able to rearrange the line they are printed in; JSON.stringify leaves them as they are.
const UNPRINTABLE = /[\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;

/** The reader's own text, in quotes, on one line, cut when it is long. */
export function quote(text: string): string {
  const short = text.length > MAX_QUOTED_LENGTH ? `${text.slice(0, MAX_QUOTED_LENGTH)}…` : text;
  return JSON.stringify(short).replace(
    UNPRINTABLE,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** What a message calls a key: by its name in a file, else by the variable, flag or member it came from. */
export function subjectOf(origin: Origin, key: string): string {
  switch (origin.kind) {
    case "file":
    case "line":
      return key;
    case "variable":
      return origin.name;
    case "flag":
      return `--${origin.name}`;
    case "member":
      return origin.path;
  }
}

/** One fault as one line: `line 4: timeout = "60 sec" is not a duration (try 60s or 5m)`. */
export function describeFault(fault: Fault): string {
  return fault.origin.kind === "line" ? `line ${String(fault.origin.line)}: ${fault.says}` : fault.says;
}

/** The faults in the order of the file, then what has no line. */
export const sortFaults = (faults: readonly Fault[]): readonly Fault[] =>
  [...faults].sort((a, b) => lineOf(a.origin) - lineOf(b.origin) || 0);

function lineOf(origin: Origin): number {
  if (origin.kind === "file") return 0;
  return origin.kind === "line" ? origin.line : Number.MAX_SAFE_INTEGER;
}

/** All faults as one CONFIG_INVALID; `where` names the file or object they are in. */
export function errorOf(faults: readonly Fault[], where: string): MemqError {
  const count = faults.length === 1 ? "1 problem" : `${String(faults.length)} problems`;
  const lines = faults.slice(0, MAX_FAULTS_SHOWN).map((fault) => `\n  ${describeFault(fault)}`);
  const more = faults.length - lines.length;
  if (more > 0) lines.push(`\n  and ${String(more)} more`);
  const message = `${count} in ${placeOf(faults, where)}:${lines.join("")}`;
  return new MemqError("CONFIG_INVALID", message, faults.every(isOutside) ? { next: OUTSIDE_NEXT } : {});
}

// No file has to be read again for it.
const OUTSIDE_NEXT = "Correct the variable where it is set, or unset it: it counts before the file.";

const isOutside = ({ origin }: Fault): boolean => origin.kind === "variable";

function placeOf(faults: readonly Fault[], where: string): string {
  const outside = faults.filter(isOutside).length;
  if (outside === 0) return where;
  return outside === faults.length ? "the environment" : `${where} and the environment`;
}
