import { MemqError } from "../errors.ts";
import type { Draft, Json, Task } from "./task.ts";

// Any change: add 1, keep a reader for the old one, add a fixture.
const CODEC_VERSION = 1;

// A handler's stack ends before a deeper nesting does; and JSON.stringify recurses.
const MAX_DEPTH = 500;

interface Body {
  readonly v: number;
  readonly c?: string;
  readonly m: string;
  readonly a: readonly Json[];
  readonly k?: string;
  readonly r?: number;
  readonly t?: number;
}

/** What decoding says of bytes that hold no task for this version. */
export type Decoded =
  | { readonly kind: "task"; readonly task: Task }
  | { readonly kind: "newer" }
  | { readonly kind: "broken"; readonly reason: string };

/** Turns drafts into the text that a broker keeps, and back. */
export interface Codec {
  /**
   * The draft as text; the same draft gives the same text without encoding it again.
   * @throws MemqError ARGS_INVALID for a value JSON would lose, TASK_TOO_LARGE over the limit.
   */
  encode(draft: Draft): string;
  /** The text to keep under `id`: the encoded body, signed where the queue has a secret. */
  seal(id: string, body: string): string;
  /** Never throws: hostile bytes are answered as broken. */
  open(id: string, bornAt: number, text: string): Decoded;
}

/** The codec of a queue without a secret. `maxBytes`: of one encoded task. */
export function plainCodec(maxBytes: number): Codec {
  const encoded = new WeakMap<Draft, string>(); // publishers encode to check, brokers to keep
  return {
    encode: (draft) => {
      const known = encoded.get(draft);
      if (known !== undefined) return known;
      const body = encodeBody(draft, maxBytes);
      encoded.set(draft, body);
      return body;
    },
    seal: (_id, body) => body,
    open: openBody,
  };
}

function encodeBody(draft: Draft, maxBytes: number): string {
  for (const [index, arg] of draft.args.entries()) assertJson(arg, `argument ${String(index + 1)}`, 0);
  const body: Body = {
    v: CODEC_VERSION,
    ...(draft.class !== undefined && { c: draft.class }),
    m: draft.method,
    a: draft.args,
    ...(draft.key !== undefined && { k: draft.key }),
    ...(draft.retries !== undefined && { r: draft.retries }),
    ...(draft.timeoutMs !== undefined && { t: draft.timeoutMs }),
  };
  const text = JSON.stringify(body);
  assertSize(text, maxBytes);
  return text;
}

function assertSize(text: string, maxBytes: number): void {
  if (text.length * 3 <= maxBytes) return; // no UTF-16 unit takes more than 3 bytes
  const bytes = Buffer.byteLength(text);
  if (bytes <= maxBytes) return;
  throw new MemqError(
    "TASK_TOO_LARGE",
    `the task takes ${String(bytes)} bytes, max-size is ${String(maxBytes)}`,
  );
}

function openBody(id: string, bornAt: number, text: string): Decoded {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    return { kind: "broken", reason: "the stored bytes are not JSON" };
  }
  if (!isRecord(body)) return { kind: "broken", reason: "the stored bytes are not a task" };
  if (typeof body["v"] === "number" && body["v"] > CODEC_VERSION) return { kind: "newer" };
  if (!isBody(body)) return { kind: "broken", reason: "the stored bytes are not a task" };
  return { kind: "task", task: makeTask(id, bornAt, body) };
}

function makeTask(id: string, bornAt: number, body: Body): Task {
  return {
    id,
    bornAt,
    ...(body.c !== undefined && { class: body.c }),
    method: body.m,
    args: body.a,
    ...(body.k !== undefined && { key: body.k }),
    ...(body.r !== undefined && { retries: body.r }),
    ...(body.t !== undefined && { timeoutMs: body.t }),
  };
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const isOptional = (value: unknown, type: "string" | "number"): boolean =>
  value === undefined || typeof value === type;

function isBody(body: Record<string, unknown>): body is Record<string, unknown> & Body {
  return (
    body["v"] === CODEC_VERSION &&
    typeof body["m"] === "string" &&
    Array.isArray(body["a"]) &&
    isOptional(body["c"], "string") &&
    isOptional(body["k"], "string") &&
    isOptional(body["r"], "number") &&
    isOptional(body["t"], "number")
  );
}

function assertJson(value: unknown, where: string, depth: number): void {
  if (typeof value === "string" || typeof value === "boolean" || value === null) return;
  if (typeof value === "number") assertNumber(value, where);
  else if (typeof value !== "object") throw lossy(where, describeValue(value));
  else if (depth >= MAX_DEPTH) throw lossy(where, "nested too deeply, or a loop");
  else if (Array.isArray(value)) assertItems(value, where, depth);
  else assertMembers(value, where, depth);
}

function assertNumber(value: number, where: string): void {
  if (Object.is(value, -0)) throw lossy(where, "-0");
  if (!Number.isFinite(value)) throw lossy(where, String(value));
}

function assertItems(value: readonly unknown[], where: string, depth: number): void {
  // A plain loop sees the holes that forEach skips.
  for (let i = 0; i < value.length; i++) assertJson(value[i], `${where}[${String(i)}]`, depth + 1);
}

function assertMembers(value: object, where: string, depth: number): void {
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) throw lossy(where, `a ${className(value)}`);
  if (Object.getOwnPropertySymbols(value).length > 0) throw lossy(where, "an object with a symbol key");
  for (const [key, member] of Object.entries(value)) {
    if (key === "toJSON" && typeof member === "function") throw lossy(where, "an object with toJSON");
    assertJson(member, `${where}.${key}`, depth + 1);
  }
}

const className = (value: object): string => value.constructor.name;
const describeValue = (value: unknown): string => (value === undefined ? "undefined" : `a ${typeof value}`);
const lossy = (where: string, what: string): MemqError =>
  new MemqError("ARGS_INVALID", `${where} is ${what}, which JSON would lose`);
