import { quote } from "./fault.ts";
import { valueText } from "./value-text.ts";

/** What one line of the file is. `says` tells what is wrong with a broken one. */
export type Line =
  | { readonly kind: "nothing" }
  | { readonly kind: "section"; readonly label: string }
  | { readonly kind: "entry"; readonly key: string; readonly text: string }
  | { readonly kind: "brokenSection"; readonly says: string }
  | { readonly kind: "brokenEntry"; readonly says: string; readonly key?: string };

const SECTION = /^\[([^\]]*)\]\s*(?:$|(?<=\s)[;#])/;
const CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028\u2029]/;
const NOT_UTF8 = "\ufffd"; // what decoding puts in place of bytes that are no UTF-8
const MAX_BARE_KEY = 60; // a longer one is none: it is shown cut, in quotes
const SECRETIVE = /^(?:secret|password)/i;

/** Tells what a line is; pure, one line at a time. */
export function readLine(line: string): Line {
  const text = line.trim();
  if (text === "" || /^[;#]/.test(text)) return { kind: "nothing" };
  const isSection = text.startsWith("[");
  const unreadable = unreadableBecause(text);
  if (unreadable !== undefined)
    return { kind: isSection ? "brokenSection" : "brokenEntry", says: unreadable };
  return isSection ? readSection(text) : readEntry(text);
}

function unreadableBecause(text: string): string | undefined {
  const control = CONTROL.exec(text)?.[0];
  if (control !== undefined) {
    const code = control.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0");
    return `holds a control character (U+${code})`;
  }
  return text.includes(NOT_UTF8) ? "is not UTF-8 text (save the file as UTF-8)" : undefined;
}

function readSection(text: string): Line {
  const label = SECTION.exec(text)?.[1];
  if (label !== undefined) return { kind: "section", label: label.trim() };
  const says = text.includes("]")
    ? `${quote(text)} has text after the section's ]`
    : `${quote(text)} is a section without its closing ]`;
  return { kind: "brokenSection", says };
}

function readEntry(text: string): Line {
  const equals = text.indexOf("=");
  if (equals === -1) return { kind: "brokenEntry", says: bareFault(text) };
  const key = text.slice(0, equals).trim();
  if (key === "") return { kind: "brokenEntry", says: "has no key before the =" };
  const written = valueText(text.slice(equals + 1));
  if ("text" in written) return { kind: "entry", key, text: written.text };
  return {
    kind: "brokenEntry",
    key,
    says: `${key.length > MAX_BARE_KEY ? quote(key) : key} ${written.trap}`,
  };
}

function bareFault(text: string): string {
  if (/^[\w-]{1,60}$/.test(text)) return `${text} has no value (write ${text} = …)`;
  const shown = SECRETIVE.test(text) ? (SECRETIVE.exec(text)?.[0] ?? "") : text;
  return `${quote(shown)} is neither key = value nor a [section]`;
}
