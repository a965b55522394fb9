import { unsafe as unescapeIni } from "ini";

/** What stands behind the `=` of a line, or what the INI grammar would silently do to it. */
export type Written = { readonly text: string } | { readonly trap: string };

const DOUBLE_QUOTED = /^"(?:[^"\\]|\\.)*"/;
const SINGLE_QUOTED = /^'[^']*'/;
const COMMENT_AFTER_BLANK = /^\s+[;#]/;
const EMPTY: Written = { trap: "has no value" };

/**
 * The value of `key = …`: quotes taken off, a comment after a blank left out. `trap` goes on after the
 * key's name and never shows the value, which may be a password.
 */
export function valueText(raw: string): Written {
  const value = raw.trim();
  if (value.startsWith('"')) return unquote(value, DOUBLE_QUOTED);
  if (value.startsWith("'")) return unquote(value, SINGLE_QUOTED);
  return plainText(value);
}

function unquote(value: string, quoted: RegExp): Written {
  const match = quoted.exec(value)?.[0];
  if (match === undefined) return { trap: "has a quote that is not closed" };
  const rest = value.slice(match.length);
  if (rest !== "" && !COMMENT_AFTER_BLANK.test(rest)) return { trap: "has text after the closing quote" };
  const text = match.startsWith("'") ? match.slice(1, -1) : doubleQuotedText(match);
  if (text === undefined) {
    return {
      trap: "has a broken escape between double quotes (write \\\\ for a backslash, or use single quotes)",
    };
  }
  return text === "" ? EMPTY : { text };
}

/** Undefined when the escapes are not JSON's; the INI grammar would then keep the quotes in the value. */
function doubleQuotedText(quoted: string): string | undefined {
  const text = unescapeIni(quoted);
  return text === quoted ? undefined : text;
}

function plainText(value: string): Written {
  const end = commentAt(value);
  if (end === 0 || value === "") return EMPTY;
  const kept = value.slice(0, end);
  if (end < value.length) {
    const trap = cutTrap(kept, value.charAt(end));
    if (trap !== undefined) return { trap };
  }
  if (kept.includes("\\\\")) return { trap: "would lose a backslash (put the value in single quotes)" };
  return { text: unescapeIni(kept) };
}

/** Where the INI grammar ends the value: at the first `;` or `#` without a backslash before it. */
function commentAt(value: string): number {
  const match = /^(?:[^\\;#]|\\.?)*/su.exec(value);
  return match?.[0].length ?? 0;
}

/** Why the end of the value is no comment; undefined when it is one. */
function cutTrap(kept: string, mark: string): string | undefined {
  if (/\S$/.test(kept)) return `would be cut at the "${mark}" (put the value in quotes)`;
  const halfQuoted = kept.split('"').length % 2 === 0 || kept.split("'").length % 2 === 0;
  return halfQuoted
    ? `would be cut at the "${mark}" inside quotes (put the whole value in quotes)`
    : undefined;
}
