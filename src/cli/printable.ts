// What a terminal would act on, or what could rearrange the line it stands in. Not the two signs that join
// letters and emoji: Persian and families are written with them.
const UNPRINTABLE = /[\u0000-\u001f\u007f-\u009f\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]/gu;

/** Somebody's text for one line of a terminal: what is invisible is shown as `\u001b`, a newline as `\n`. */
export const printable = (text: string): string => text.replace(UNPRINTABLE, escapeSign);

/** The same over several lines: newlines and tabs stay. */
export const printableLines = (text: string): string =>
  text.replace(UNPRINTABLE, (sign) => (sign === "\n" || sign === "\t" ? sign : escapeSign(sign)));

const SHORT: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

const escapeSign = (sign: string): string =>
  SHORT[sign] ?? `\\u${sign.charCodeAt(0).toString(16).padStart(4, "0")}`;

/** A text of at most `limit` characters, with `…` where it was cut. */
export function cut(text: string, limit: number): string {
  if (text.length <= limit) return text;
  // Half a surrogate pair is no character.
  return `${text.slice(0, limit - 1).replace(/[\ud800-\udbff]$/, "")}…`;
}

/** `1 task`, `2 tasks`. */
export const counted = (count: number, noun: string): string =>
  `${String(count)} ${noun}${count === 1 ? "" : "s"}`;

/** A moment for programs. */
export const isoTime = (ms: number): string => new Date(ms).toISOString();
