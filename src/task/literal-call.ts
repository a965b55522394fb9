import { MemqError } from "../errors.ts";
import { inexactInteger } from "./exact-number.ts";
import type { Call, Json } from "./task.ts";

/**
 * Reads call text with literal arguments: `push('42', {"title": 'hi'}, [1, -2.5], true, null)`, with an
 * optional semicolon. Strings stand in single or double quotes with JavaScript's escapes.
 * @throws MemqError CALL_INVALID with the place where reading stopped; ARGS_INVALID for a number that would be rounded.
 */
export function readLiteralCall(text: string): Call {
  const reader = new LiteralReader(text);
  const method = reader.token(name()) ?? "";
  reader.expect("(");
  const args = reader.list(")", () => reader.value());
  reader.token(/;/y);
  if (!reader.atEnd) throw reader.fault("there is text after the call");
  return { method, args };
}

// Made where they are needed: the letters of all scripts take a command a millisecond to load.
const name = (): RegExp => /[\p{ID_Start}$_][\p{ID_Continue}$]*/uy;
// No leading zeros: 007 is octal to some and a name to others, and a number would lose them.
const number = (): RegExp => /-?(?:(?:0|[1-9]\d*)(?:\.\d+)?|\.\d+)(?:[eE][+-]?\d+)?(?![\p{ID_Continue}$.])/uy;
// Maps, because an object would also know the word "constructor".
const WORDS = new Map([
  ["true", true],
  ["false", false],
  ["null", null],
]);
const ESCAPES = new Map([
  ["n", "\n"],
  ["r", "\r"],
  ["t", "\t"],
  ["b", "\b"],
  ["f", "\f"],
  ["v", "\v"],
  ["0", "\0"],
  ["\n", ""], // a line that goes on
]);
const MAX_CODE_POINT = 0x10_ffff;
const MAX_NESTING = 500; // as deep as the codec keeps

class LiteralReader {
  readonly #text: string;
  #at = 0;
  #nesting = 0;

  constructor(text: string) {
    this.#text = text;
  }

  get atEnd(): boolean {
    this.#skipBlanks();
    return this.#at >= this.#text.length;
  }

  token(pattern: RegExp): string | undefined {
    this.#skipBlanks();
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0];
    if (found !== undefined) this.#at += found.length;
    return found;
  }

  expect(mark: string): void {
    if (!this.#take(mark)) throw this.fault(`"${mark}" was expected`);
  }

  /** What stands between here and `end`, separated by commas; a trailing comma is fine. */
  list<T>(end: string, item: () => T): T[] {
    if (++this.#nesting > MAX_NESTING) throw this.fault("it is nested too deeply");
    const items: T[] = [];
    while (!this.#take(end)) {
      items.push(item());
      if (this.#take(end)) break;
      this.expect(",");
    }
    this.#nesting--;
    return items;
  }

  value(): Json {
    this.#skipBlanks();
    const next = this.#text[this.#at];
    if (next === "'" || next === '"') return this.#string(next);
    if (this.#take("[")) return this.list("]", () => this.value());
    if (this.#take("{")) return Object.fromEntries(this.list("}", () => this.#member()));
    return this.#number() ?? this.#word();
  }

  fault(why: string): MemqError {
    const rest = this.#text.slice(this.#at, this.#at + 20);
    const where = rest === "" ? "at its end" : `at ${JSON.stringify(rest)}`;
    return new MemqError("CALL_INVALID", `the call text cannot be read ${where}: ${why}`);
  }

  #number(): number | undefined {
    const text = this.token(number());
    if (text === undefined) return undefined;
    if (inexactInteger(text) === undefined) return Number(text);
    // The text can be read; it is the argument that would not arrive, as with --json-args.
    throw new MemqError("ARGS_INVALID", `${text} is too large to stay exact, write it in quotes`);
  }

  #word(): boolean | null {
    const start = this.#at;
    const value = WORDS.get(this.token(name()) ?? "");
    if (value !== undefined) return value;
    this.#at = start;
    throw this.fault("only literals can be arguments (strings, numbers, true, false, null, [...], {...})");
  }

  #member(): [string, Json] {
    this.#skipBlanks();
    const quote = this.#text[this.#at];
    const key = quote === "'" || quote === '"' ? this.#string(quote) : this.token(name());
    if (key === undefined) throw this.fault("a key was expected");
    this.expect(":");
    return [key, this.value()];
  }

  #string(quote: string): string {
    let out = "";
    this.#at++;
    for (;;) {
      const next = this.#text[this.#at++];
      if (next === undefined) throw this.fault("a quote is not closed");
      if (next === quote) return out;
      out += next === "\\" ? this.#escape() : next;
    }
  }

  #escape(): string {
    const mark = this.#text[this.#at++];
    if (mark === undefined) throw this.fault("a quote is not closed");
    if (mark === "u" && this.#text[this.#at] === "{") return this.#codePoint();
    if (mark === "u" || mark === "x") return this.#codeUnit(mark === "u" ? 4 : 2);
    return ESCAPES.get(mark) ?? mark;
  }

  #codeUnit(digits: number): string {
    const hex = this.#text.slice(this.#at, this.#at + digits);
    if (hex.length !== digits || !/^[0-9a-f]+$/i.test(hex)) throw this.fault("an escape is incomplete");
    this.#at += digits;
    return String.fromCharCode(Number.parseInt(hex, 16));
  }

  #codePoint(): string {
    const end = this.#text.indexOf("}", this.#at);
    const hex = this.#text.slice(this.#at + 1, Math.max(end, this.#at));
    const point = /^[0-9a-f]{1,8}$/i.test(hex) ? Number.parseInt(hex, 16) : Infinity;
    if (point > MAX_CODE_POINT) throw this.fault("an escape is no character");
    this.#at = end + 1;
    return String.fromCodePoint(point);
  }

  #take(mark: string): boolean {
    this.#skipBlanks();
    if (!this.#text.startsWith(mark, this.#at)) return false;
    this.#at += mark.length;
    return true;
  }

  #skipBlanks(): void {
    while (/\s/.test(this.#text[this.#at] ?? "")) this.#at++;
  }
}
