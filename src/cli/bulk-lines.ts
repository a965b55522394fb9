import { MemqError } from "../errors.ts";
import { parseCall } from "../task/call.ts";
import type { BulkItem } from "../publish/publisher.ts";

/** How the lines of a bulk are read. */
export type LineFormat = "lines" | "ndjson";

/** A line of a bulk: an item, or why it is none. Lines count from 1. */
export type BulkLine =
  | { readonly line: number; readonly text: string; readonly item: BulkItem }
  | { readonly line: number; readonly text: string; readonly fault: MemqError };

// A line is held whole; what is longer than any task is no line.
const MAX_LINE_BYTES = 64 * 1024 * 1024;
const NEWLINE = 0x0a;

/** The lines of a byte stream, without their ends; a last one without a newline counts too. */
export async function* splitLines(bytes: AsyncIterable<Buffer | string>): AsyncGenerator<Buffer> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const piece of bytes) {
    rest = rest.length === 0 ? Buffer.from(piece) : Buffer.concat([rest, Buffer.from(piece)]);
    let start = 0;
    for (let end = rest.indexOf(NEWLINE); end !== -1; end = rest.indexOf(NEWLINE, start)) {
      yield rest.subarray(start, end);
      start = end + 1;
    }
    rest = rest.subarray(start);
    if (rest.length > MAX_LINE_BYTES) throw new MemqError("ARGS_INVALID", "a line is longer than 64 MiB");
  }
  if (rest.length > 0) yield rest;
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
    const text = decode(raw);
    if (format === "ndjson" && text?.trim() === "") continue;
    yield readLine(line, text, (known) =>
      format === "lines" ? argumentLine(known, method) : jsonLine(known, method),
    );
  }
}

function readLine(line: number, text: string | undefined, read: (text: string) => BulkItem): BulkLine {
  try {
    if (text === undefined) throw new MemqError("ARGS_INVALID", "the line is not UTF-8");
    return { line, text, item: read(text) };
  } catch (error) {
    const fault =
      error instanceof MemqError ? error : new MemqError("BUG", "a line could not be read", { cause: error });
    return { line, text: text ?? "", fault };
  }
}

const strictUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The text of a line without a carriage return at its end; undefined when it is not UTF-8. */
function decode(raw: Buffer): string | undefined {
  try {
    return strictUtf8.decode(raw).replace(/\r$/, "");
  } catch {
    return undefined; // said with the line's number by the caller
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
