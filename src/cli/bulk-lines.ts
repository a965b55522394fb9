import { MemqError } from "../errors.ts";
import { parseCall } from "../task/call.ts";
import type { BulkItem } from "../publish/publisher.ts";

/** How the lines of a bulk are read. */
export type LineFormat = "lines" | "ndjson";

/** A line of a bulk: an item, or why it is none. Lines count from 1. */
export type BulkLine =
  { readonly line: number; readonly item: BulkItem } | { readonly line: number; readonly fault: MemqError };

/** The lines of a byte stream, without their ends; undefined in place of one that is too long. */
type RawLine = Buffer | undefined;

// A line is held whole; what is longer than any task is no line.
const MAX_LINE_BYTES = 64 * 1024 * 1024;
const NEWLINE = 0x0a;

/** The lines of a byte stream, without their ends; a last one without a newline counts too. */
export async function* splitLines(bytes: AsyncIterable<Buffer | string>): AsyncGenerator<RawLine> {
  const line = new LineUnderWay();
  for await (const piece of bytes) {
    const buffer = Buffer.from(piece);
    let start = 0;
    for (let end = buffer.indexOf(NEWLINE); end !== -1; end = buffer.indexOf(NEWLINE, start)) {
      line.add(buffer.subarray(start, end));
      yield line.end();
      start = end + 1;
    }
    line.add(buffer.subarray(start));
  }
  if (line.length > 0) yield line.end();
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

  end(): RawLine {
    const [only, ...more] = this.#pieces;
    const whole = only !== undefined && more.length === 0 ? only : Buffer.concat(this.#pieces);
    const line = this.length > MAX_LINE_BYTES ? undefined : whole;
    this.#pieces = [];
    this.length = 0;
    return line;
  }
}

/** Reads lines as items: the method's one argument per line, or a JSON call per line. */
export async function* readBulk(
  bytes: AsyncIterable<Buffer | string>,
  format: LineFormat,
  method: string | undefined,
): AsyncGenerator<BulkLine> {
  let line = 0;
  for await (const raw of splitLines(bytes)) {
    line++;
    if (format === "ndjson" && raw !== undefined && raw.length < BLANK_BYTES && isBlank(raw)) continue;
    yield readLine(line, () => {
      const text = textOf(raw, line);
      return format === "lines" ? argumentLine(text, method) : jsonLine(text, method);
    });
  }
}

const BLANK_BYTES = 1_000; // a longer line of blanks is no accident
const isBlank = (raw: Buffer): boolean => raw.toString("latin1").trim() === "";

function readLine(line: number, read: () => BulkItem): BulkLine {
  try {
    return { line, item: read() };
  } catch (error) {
    if (error instanceof MemqError) return { line, fault: error };
    throw error;
  }
}

const strictUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const BYTE_ORDER_MARK = /^\ufeff/;

/** The text of a line without a carriage return at its end, and of a file without its byte order mark. */
function textOf(raw: RawLine, line: number): string {
  if (raw === undefined) throw new MemqError("TASK_TOO_LARGE", "the line is longer than 64 MiB");
  const text = decode(raw).replace(/\r$/, "");
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
