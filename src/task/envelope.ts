/**
 * How a signed task is kept: `s1:<signature>:<body>`. A body is JSON, so a text without a signature begins
 * with `{`.
 */
export type Envelope =
  | { readonly kind: "bare"; readonly body: string }
  | { readonly kind: "signed"; readonly signature: string; readonly body: string }
  | { readonly kind: "newer" };

// Any change: add 1, keep a reader for the old one, add a fixture.
export const ENVELOPE_VERSION = 1;

// A version has one way to be written: no sign of a signed text can be altered unnoticed.
const ENVELOPE = /^s([1-9]\d{0,5}):([0-9A-Za-z_-]{1,128}):/;

/** The text to keep for a body and its signature (of letters, digits, `_` and `-`). */
export const enveloped = (signature: string, body: string): string =>
  `s${String(ENVELOPE_VERSION)}:${signature}:${body}`;

/** Tells a signature from what it signs. Never throws: a text that is neither is a body, if a broken one. */
export function openEnvelope(text: string): Envelope {
  const found = text.startsWith("s") ? ENVELOPE.exec(text) : null;
  if (found === null) return { kind: "bare", body: text };
  const [head, version, signature = ""] = found;
  if (Number(version) > ENVELOPE_VERSION) return { kind: "newer" };
  return { kind: "signed", signature, body: text.slice(head.length) };
}
