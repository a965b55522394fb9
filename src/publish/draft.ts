import { MemqError } from "../errors.ts";
import type { Capabilities } from "../ports/broker.ts";
import { checkedCall } from "../task/call.ts";
import { durationMs } from "../task/duration.ts";
import type { Call, Draft } from "../task/task.ts";

/** How a call wants to be kept. Times are ms or durations such as "20m". */
export interface PublishOptions {
  /** Another class than the queue's `classname`. */
  readonly class?: string;
  /** Not before this long from now. */
  readonly delay?: number | string;
  /** Not before this time: a Date, ms since 1970 or an ISO 8601 text. */
  readonly at?: Date | number | string;
  /** One unfinished task of the queue has this key. */
  readonly key?: string;
  /** "keep" (default) answers with the id there is, "replace" takes its place, "error" rejects. */
  readonly onDuplicate?: "keep" | "replace" | "error";
  /** Attempts after the first, instead of the queue's policy. */
  readonly retries?: number;
  /** For one attempt, instead of the queue's. */
  readonly timeout?: number | string;
  /** Its result is kept for at least this long after it is done, even where the queue keeps none. */
  readonly keepResult?: number | string;
}

const OPTION_NAMES: Readonly<Record<keyof PublishOptions, true>> = {
  class: true,
  delay: true,
  at: true,
  key: true,
  onDuplicate: true,
  retries: true,
  timeout: true,
  keepResult: true,
};

/** What `PublishOptions` may hold. */
export const PUBLISH_OPTIONS: ReadonlySet<string> = new Set(Object.keys(OPTION_NAMES));

// memcached takes keys of 250 bytes, and a hash of ours stands in their place; people read them in lists.
const MAX_KEY_BYTES = 1_000;
const MAX_RETRIES = 1_000; // a task that failed this often needs a person

/** A draft that its maker has not given away yet. */
export type DraftInTheMaking = { -readonly [Key in keyof Draft]: Draft[Key] };

/**
 * The draft of a call, without a body. Delays are rounded up to the second, so that no broker is early.
 * @throws MemqError CALL_INVALID, ARGS_INVALID
 */
export function makeDraft(call: Call, options: PublishOptions, nowMs: number): DraftInTheMaking {
  const dueAt = dueTime(options, nowMs);
  const className = options.class ?? call.class;
  assertOnDuplicate(options.onDuplicate);
  // Member by member: of a million items, objects that are spread into each other cost as much as writing them.
  const draft: DraftInTheMaking = { method: call.method, args: call.args };
  if (className !== undefined) draft.class = className;
  if (dueAt !== undefined) draft.dueAt = dueAt;
  if (options.key !== undefined) draft.key = checkedKey(options.key);
  if (options.onDuplicate === "replace") draft.onDuplicate = "replace";
  if (options.retries !== undefined) draft.retries = checkedRetries(options.retries);
  if (options.timeout !== undefined) draft.timeoutMs = checkedSpan("timeout", options.timeout);
  if (options.keepResult !== undefined) draft.resultMs = checkedSpan("keepResult", options.keepResult);
  return checkedCall(draft);
}

/** The options of one item of a bulk over those of all; its time, however it is given, takes the place of theirs. */
export function itemOptions(all: PublishOptions, own: PublishOptions): PublishOptions {
  if (!hasOptions(own)) return all;
  if (own.delay === undefined && own.at === undefined) return { ...all, ...own };
  const { delay, at, ...timeless } = all;
  return delay === undefined && at === undefined ? { ...all, ...own } : { ...timeless, ...own };
}

/** Most items of a bulk have none. */
function hasOptions(own: PublishOptions): boolean {
  for (const name in own) if (PUBLISH_OPTIONS.has(name)) return true;
  return false;
}

/** @throws MemqError UNSUPPORTED when the broker cannot do what the draft asks for. */
export function assertSupported(draft: Draft, capabilities: Capabilities, queue: string): void {
  if (draft.dueAt !== undefined && !capabilities.delay) {
    throw new MemqError("UNSUPPORTED", `queue "${queue}": its broker cannot keep a task for later`);
  }
  if (draft.key !== undefined && !capabilities.keys) {
    throw new MemqError("UNSUPPORTED", `queue "${queue}": its broker knows no keys`);
  }
}

/** The table's next step speaks of the arguments of a call. */
const badOption = (message: string): MemqError =>
  new MemqError("ARGS_INVALID", message, {
    next: "Correct the option that is named; the call itself is fine.",
  });

function dueTime(options: PublishOptions, nowMs: number): number | undefined {
  if (options.delay !== undefined && options.at !== undefined) {
    throw badOption("a delay and a time exclude each other");
  }
  if (options.delay !== undefined) return later(nowMs + durationMs(options.delay), nowMs);
  if (options.at === undefined) return undefined;
  return later(timeOf(options.at), nowMs);
}

const later = (dueAt: number, nowMs: number): number | undefined =>
  dueAt <= nowMs ? undefined : Math.ceil(dueAt / 1_000) * 1_000;

// A time without a zone means local time, as people write it; Date.parse would take a lone date as UTC.
const ISO = /^\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:?\d{2})?)?$/;

// What a Date can hold: 8.64e15 ms, the year 275760.
const MAX_TIME_MS = 8_640_000_000_000_000;

function timeOf(at: Date | number | string): number {
  const ms = typeof at === "string" ? parseTime(at) : Number(at);
  if (Math.abs(ms) <= MAX_TIME_MS) return ms;
  const what = typeof at === "string" ? JSON.stringify(at) : String(at);
  throw badOption(`${what} is not a time (try 2030-01-31T08:30 or 2030-01-31T08:30:00Z)`);
}

function parseTime(text: string): number {
  if (!ISO.test(text) || !isCalendarDay(text)) return Number.NaN;
  return Date.parse(text.length === 10 ? `${text}T00:00` : text.replace(" ", "T"));
}

/** Date.parse would take the 31st of February as one in March. */
function isCalendarDay(text: string): boolean {
  const [year = 0, month = 0, day = 0] = text.slice(0, 10).split("-").map(Number);
  const lastDay = new Date(Date.UTC(year, month, 0)).getUTCDate();
  return month >= 1 && month <= 12 && day >= 1 && day <= lastDay;
}

// Any of them is the same three bytes in UTF-8, so two keys would be one.
const hasHalfCharacter = (key: string): boolean => /\p{Surrogate}/u.test(key);

function checkedKey(key: string): string {
  if (typeof key !== "string" || hasHalfCharacter(key)) throw badOption("a key is a text");
  const bytes = Buffer.byteLength(key);
  if (bytes > 0 && bytes <= MAX_KEY_BYTES) return key;
  throw badOption(`a key has 1 to ${String(MAX_KEY_BYTES)} bytes, not ${String(bytes)}`);
}

const ON_DUPLICATE: readonly unknown[] = [undefined, "keep", "replace", "error"];

function assertOnDuplicate(wish: PublishOptions["onDuplicate"]): void {
  if (ON_DUPLICATE.includes(wish)) return;
  throw badOption(`onDuplicate is "keep", "replace" or "error", not ${JSON.stringify(wish)}`);
}

function checkedRetries(retries: number): number {
  if (Number.isInteger(retries) && retries >= 0 && retries <= MAX_RETRIES) return retries;
  throw badOption(`retries is a whole number from 0 to ${String(MAX_RETRIES)}, not ${String(retries)}`);
}

function checkedSpan(name: string, span: number | string): number {
  const ms = durationMs(span);
  if (ms > 0) return ms;
  throw badOption(`${name === "timeout" ? "a timeout" : name} is longer than 0`);
}
