import { MemqError, describeError } from "../errors.ts";
import { openEnvelope } from "./envelope.ts";
import { assertLossless, isTooDeep } from "./lossless.ts";
import { ownMembers } from "./own-members.ts";
import type { Draft, Json, Task } from "./task.ts";

// Any change: add 1, keep a reader for the old one, add a fixture. A task is written in the first version that has
// all of what it says, so that older processes can run it.
const CODEC_VERSION = 2;
const PLAIN_VERSION = 1; // without `w`

// Too short for a nesting that is too deep, as most tasks are.
const SHORT_CHARS = 1_000;

interface Body {
  readonly v: number;
  readonly c?: string;
  readonly m: string;
  readonly a: readonly Json[];
  readonly k?: string;
  readonly r?: number;
  readonly t?: number;
  readonly w?: number;
}

/** What decoding says of bytes that hold no task for this version. */
export type Decoded =
  | { readonly kind: "task"; readonly task: Task }
  | { readonly kind: "newer" }
  | { readonly kind: "broken"; readonly reason: string };

/** Turns drafts into the text that a broker keeps, and back. */
export interface Codec {
  /**
   * The draft as text: the body that it carries, or one that is made now.
   * @throws MemqError ARGS_INVALID for a value JSON would lose, TASK_TOO_LARGE over the limit.
   */
  encode(draft: Draft): string;
  /** The text to keep under `id`: the encoded body, signed where the queue has a secret. */
  seal(id: string, body: string): string;
  /** The text that was sealed under `id`; undefined when it was not, or by a newer memq. */
  unseal(id: string, text: string): string | undefined;
  /** Never throws: hostile bytes are answered as broken. */
  open(id: string, bornAt: number, text: string): Decoded;
}

/**
 * The codec of a queue without a secret. It opens signed tasks too, without a look at the signature: whoever
 * can write here could leave it out as well. `maxBytes`: of one encoded task.
 */
export function plainCodec(maxBytes: number): Codec {
  return {
    encode: (draft) => draft.body ?? encodeBody(draft, maxBytes),
    seal: (_id, body) => body,
    unseal: (_id, text) => {
      const envelope = openEnvelope(text);
      return envelope.kind === "newer" ? undefined : envelope.body;
    },
    open: (id, bornAt, text) => {
      if (text.startsWith("{")) return openBody(id, bornAt, text); // as every body does, and no envelope
      const envelope = openEnvelope(text);
      return envelope.kind === "newer" ? envelope : openBody(id, bornAt, envelope.body);
    },
  };
}

function encodeBody(draft: Draft, maxBytes: number): string {
  const text = textOf(draft, maxBytes);
  assertSize(text, maxBytes);
  return text;
}

/** Getters and proxies run the user's code while they are looked at: what that throws is an argument's fault. */
function textOf(draft: Draft, maxBytes: number): string {
  try {
    assertLossless(draft.args, maxBytes);
    return isPlain(draft) ? plainText(draft) : JSON.stringify(bodyOf(draft));
  } catch (cause) {
    if (cause instanceof MemqError) throw cause;
    throw new MemqError("ARGS_INVALID", `an argument cannot be read: ${describeError(cause)}`, { cause });
  }
}

/** A method and its arguments, as most drafts are. */
const isPlain = ({ class: className, key, retries, timeoutMs, resultMs }: Draft): boolean =>
  className === undefined &&
  key === undefined &&
  retries === undefined &&
  timeoutMs === undefined &&
  resultMs === undefined;

/** The same text as of its body, put together: an object more for JSON takes longer than everything in it. */
const plainText = ({ method, args }: Draft): string =>
  `{"v":${String(PLAIN_VERSION)},"m":${quoted(method)},"a":${textsOf(args) ?? JSON.stringify(args)}}`;

/** Undefined: not all of them are texts. */
function textsOf(args: readonly Json[]): string | undefined {
  let texts = "";
  for (let index = 0; index < args.length; index++) {
    const arg = args[index];
    if (typeof arg !== "string") return undefined;
    texts += index === 0 ? quoted(arg) : `,${quoted(arg)}`;
  }
  return `[${texts}]`;
}

// What JSON writes otherwise than it is, and halves of characters, some of which it does.
const ESCAPED = /["\\\u0000-\u001f\ud800-\udfff]/;
const quoted = (text: string): string => (ESCAPED.test(text) ? JSON.stringify(text) : `"${text}"`);

// One shape for all: JSON leaves out what is undefined, and pieces that are laid together cost more than the rest.
const bodyOf = (draft: Draft): { readonly [Key in keyof Body]: Body[Key] | undefined } => ({
  v: draft.resultMs === undefined ? PLAIN_VERSION : CODEC_VERSION,
  c: draft.class,
  m: draft.method,
  a: draft.args,
  k: draft.key,
  r: draft.retries,
  t: draft.timeoutMs,
  w: draft.resultMs,
});

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
  if (!isBare()) ownMembers(body);
  if (typeof body["v"] === "number" && body["v"] > CODEC_VERSION) return { kind: "newer" };
  if (!isBody(body)) return { kind: "broken", reason: "the stored bytes are not a task" };
  if (text.length > SHORT_CHARS && isTooDeep(body.a))
    return { kind: "broken", reason: "the stored arguments are nested too deeply" };
  return { kind: "task", task: makeTask(id, bornAt, body) };
}

// A task without a class has none, even where a handler gave Object.prototype one: members that are absent read as
// undefined from here, and nothing else of a task differs from a plain object.
const ABSENT: { readonly [Key in keyof Task]?: undefined } = {
  class: undefined,
  key: undefined,
  retries: undefined,
  timeoutMs: undefined,
  resultMs: undefined,
};

function makeTask(id: string, bornAt: number, body: Body): Task {
  const task = Object.create(ABSENT) as { -readonly [Key in keyof Task]: Task[Key] };
  task.id = id;
  task.bornAt = bornAt;
  task.method = body.m;
  task.args = body.a;
  if (body.c !== undefined) task.class = body.c;
  if (body.k !== undefined) task.key = body.k;
  if (body.r !== undefined) task.retries = body.r;
  if (body.t !== undefined) task.timeoutMs = body.t;
  if (body.w !== undefined) task.resultMs = body.w;
  return task;
}

const BARE: { readonly [Key in keyof Body]?: unknown } = {};

/** Whether no handler has given all objects a member that a body may lack: to look is quicker than to protect each body. */
const isBare = (): boolean =>
  BARE.v === undefined &&
  BARE.c === undefined &&
  BARE.m === undefined &&
  BARE.a === undefined &&
  BARE.k === undefined &&
  BARE.r === undefined &&
  BARE.t === undefined &&
  BARE.w === undefined;

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const isOptionalText = (value: unknown): boolean => value === undefined || typeof value === "string";
const isOptionalNumber = (value: unknown, least: number): boolean =>
  value === undefined || (typeof value === "number" && value >= least && value < Infinity);

function isBody(body: Record<string, unknown>): body is Record<string, unknown> & Body {
  return (
    (body["v"] === PLAIN_VERSION || body["v"] === CODEC_VERSION) &&
    typeof body["m"] === "string" &&
    Array.isArray(body["a"]) &&
    isOptionalText(body["c"]) &&
    isOptionalText(body["k"]) &&
    isOptionalNumber(body["r"], 0) &&
    isOptionalNumber(body["t"], Number.MIN_VALUE) &&
    isOptionalNumber(body["w"], Number.MIN_VALUE)
  );
}
