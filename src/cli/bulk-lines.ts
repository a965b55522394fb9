import { MemqError } from "../errors.ts";
import { parseCall } from "../task/call.ts";
import { inexactInteger } from "../task/exact-number.ts";
import type { BulkItem } from "../publish/publisher.ts";

/** How the lines of a bulk are read. */
export type LineFormat = "lines" | "ndjson";

/** Which lines are read as what. */
export interface Reading {
  readonly format: LineFormat;
  /** For lines that name none. */
  readonly method: string | undefined;
}

/** A place between two lines of an input. */
export interface InputPlace {
  /** Lines before it. */
  readonly line: number;
  /** Bytes before it. */
  readonly bytes: number;
}

/** A line of a bulk: an item, or why it is none. */
export type BulkLine = {
  /** Counted from 1. */
  readonly line: number;
  /** Bytes of the input up to the next line. */
  readonly end: number;
  /** As it was read, without its end; undefined: too long, or not read at all. */
  readonly raw?: Buffer | undefined;
} & ({ readonly item: BulkItem } | { readonly fault: MemqError });

/** A line without its end; no bytes in place of one that is too long. */
interface RawLine {
  readonly bytes: Buffer | undefined;
  readonly end: number;
}

// A line is held whole; what is longer than any task is no line.
const MAX_LINE_BYTES = 64 * 1024 * 1024;
const NEWLINE = 0x0a;

/**
 * The lines of a byte stream, as many at a time as a piece of it ends; a last one without a newline counts too.
 * `from`: bytes of the input before the stream.
 */
export async function* splitLines(
  bytes: AsyncIterable<Buffer | string>,
  from = 0,
): AsyncGenerator<readonly RawLine[]> {
  const line = new LineUnderWay();
  let offset = from;
  for await (const piece of bytes) {
    const buffer = typeof piece === "string" ? Buffer.from(piece) : piece;
    const lines: RawLine[] = [];
    let start = 0;
    for (let end = buffer.indexOf(NEWLINE); end !== -1; end = buffer.indexOf(NEWLINE, start)) {
      line.add(buffer.subarray(start, end));
      start = end + 1;
      lines.push({ bytes: line.end(), end: offset + start });
    }
    line.add(buffer.subarray(start));
    offset += buffer.length;
    if (lines.length > 0) yield lines;
  }
  if (line.length > 0) yield [{ bytes: line.end(), end: offset }];
}

/** The pieces of a line whose end is not there yet; they are joined once, however many there are. */
class LineUnderWay {
  length = 0;
  #pieces: Buffer[] = [];

  add(piece: Buffer): void {
    this.length += piece.length;
    if (this.length <= MAX_LINE_BYTES) this.#pieces.push(piece);
    else this.#pieces = [];
  }

  end(): Buffer | undefined {
    const [only, ...more] = this.#pieces;
    const whole = only !== undefined && more.length === 0 ? only : Buffer.concat(this.#pieces);
    const line = this.length > MAX_LINE_BYTES ? undefined : whole;
    this.#pieces = [];
    this.length = 0;
    return line;
  }
}

const START: InputPlace = { line: 0, bytes: 0 };

/** Reads lines as items: the method's one argument per line, or a JSON call per line. `from`: where the stream begins. */
export async function* readBulk(
  bytes: AsyncIterable<Buffer | string>,
  reading: Reading,
  from: InputPlace = START,
): AsyncGenerator<readonly BulkLine[]> {
  let { line } = from;
  for await (const lines of splitLines(bytes, from.bytes)) {
    const read: BulkLine[] = [];
    for (const raw of lines) {
      line++;
      if (reading.format === "lines" || !isBlank(raw.bytes)) read.push(readLine(line, raw, reading));
    }
    if (read.length > 0) yield read;
  }
}

const BLANK_BYTES = 1_000; // a longer line of blanks is no accident
const isBlank = (raw: Buffer | undefined): boolean =>
  raw !== undefined && raw.length < BLANK_BYTES && raw.toString("latin1").trim() === "";

function readLine(line: number, { bytes: raw, end }: RawLine, { format, method }: Reading): BulkLine {
  try {
    const text = textOf(raw, line);
    return { line, end, raw, item: format === "lines" ? argumentLine(text, method) : jsonLine(text, method) };
  } catch (error) {
    if (error instanceof MemqError) return { line, end, raw, fault: error };
    throw error;
  }
}

const strictUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const BYTE_ORDER_MARK = /^\ufeff/;

/** The text of a line without a carriage return at its end, and of a file without its byte order mark. */
function textOf(raw: Buffer | undefined, line: number): string {
  if (raw === undefined) throw new MemqError("TASK_TOO_LARGE", "the line is longer than 64 MiB");
  const ended = decode(raw);
  const text = ended.endsWith("\r") ? ended.slice(0, -1) : ended;
  return line === 1 ? text.replace(BYTE_ORDER_MARK, "") : text;
}

function decode(raw: Buffer): string {
  try {
    return strictUtf8.decode(raw);
  } catch (cause) {
    throw new MemqError("ARGS_INVALID", "the line is not UTF-8", { cause });
  }
}

function argumentLine(text: string, method: string | undefined): BulkItem {
  if (method === undefined) throw new MemqError("CALL_INVALID", "no method was named");
  return { method, args: [text] };
}

function jsonLine(text: string, method: string | undefined): BulkItem {
  const value = parseJson(text);
  if (Array.isArray(value)) return checked(value[0], value.slice(1), {});
  if (typeof value !== "object" || value === null) {
    throw new MemqError("ARGS_INVALID", `the line is neither ["method", …] nor {"method": …}`);
  }
  const { method: named, args, ...rest } = value as Record<string, unknown>;
  return checked(named ?? method, args ?? [], rest);
}

function parseJson(text: string): unknown {
  const inexact = inexactInteger(text);
  if (inexact !== undefined)
    throw new MemqError("ARGS_INVALID", `${inexact} is too large to stay exact, write it in quotes`);
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new MemqError("ARGS_INVALID", "the line is not JSON", { cause });
  }
}

const FIELDS: Readonly<Record<string, readonly string[]>> = {
  class: ["string"],
  delay: ["string", "number"],
  at: ["string", "number"],
  key: ["string"],
  retries: ["number"],
  timeout: ["string", "number"],
};

function checked(method: unknown, args: unknown, fields: Record<string, unknown>): BulkItem {
  if (typeof method !== "string") throw new MemqError("CALL_INVALID", "the line names no method");
  if (!Array.isArray(args)) throw new MemqError("ARGS_INVALID", `"args" is not a list`);
  for (const [name, value] of Object.entries(fields)) assertField(name, value);
  // Call text in a file is data too: it is read the way a command line is.
  const call = parseCall([method], {});
  if (call.method === method) return { ...fields, method, args: args as NonNullable<BulkItem["args"]> };
  if (args.length > 0) throw new MemqError("CALL_INVALID", "a whole call has no arguments beside it");
  return { ...fields, ...call };
}

function assertField(name: string, value: unknown): void {
  const types = Object.hasOwn(FIELDS, name) ? FIELDS[name] : undefined;
  if (types === undefined) {
    throw new MemqError(
      "ARGS_INVALID",
      `unknown field "${name}" (there are ${Object.keys(FIELDS).join(", ")})`,
    );
  }
  if (!types.includes(typeof value))
    throw new MemqError("ARGS_INVALID", `"${name}" is not a ${types.join(" or ")}`);
}
