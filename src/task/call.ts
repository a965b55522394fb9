import { MemqError } from "../errors.ts";
import { inexactInteger } from "./exact-number.ts";
import { readLiteralCall } from "./literal-call.ts";
import type { Call, Json } from "./task.ts";

// The letters of all scripts take a command a millisecond to load: those of ASCII are tried first, and the others are
// named where they are needed.
const ASCII_IDENTIFIER = /^[A-Za-z$_][\w$]*$/;

// What every object inherits can never be a task; the dispatcher refuses it too.
const INHERITED = new Set(Object.getOwnPropertyNames(Object.prototype));

/** What a run awaits at its end: a task that called it would close the instance under the other tasks' feet. */
export const CLOSE = "close";

export interface CallWords {
  readonly class?: string;
  /** Parse each argument as JSON instead of taking it as a string. Default false. */
  readonly jsonArgs?: boolean;
}

/**
 * The call that the words of a command line spell: a method and its arguments, or one word of call
 * text such as `saveToLocal('hello')`. It is parsed, never evaluated.
 * @throws MemqError CALL_INVALID when it is no call, ARGS_INVALID when an argument is not JSON.
 */
export function parseCall(words: readonly string[], options: CallWords = {}): Call {
  const [method, ...args] = words;
  if (method === undefined) throw new MemqError("CALL_INVALID", "no method was named");
  const named = options.class === undefined ? {} : { class: options.class };
  if (!isCallText(method)) {
    return checkedCall({ ...named, method, args: options.jsonArgs === true ? args.map(parseJsonArg) : args });
  }
  if (args.length > 0) {
    throw new MemqError(
      "CALL_INVALID",
      `${quoted(method)} is a whole call, so there can be no arguments beside it`,
    );
  }
  return checkedCall({ ...named, ...readLiteralCall(method) });
}

/** Whether a text is, or means to be, a whole call: `saveToLocal('hello')`. */
export const isCallText = (text: string): boolean =>
  text.includes("(") && /^\s*[\p{ID_Start}$_][\p{ID_Continue}$]*\s*\(/u.test(text);

/** The value that a text of JSON spells; `where`: whose text it is. @throws MemqError ARGS_INVALID */
export function parseJson(text: string, where: string): Json {
  const inexact = inexactInteger(text);
  if (inexact !== undefined) {
    throw new MemqError(
      "ARGS_INVALID",
      `${where}: ${inexact} is too large to stay exact, write it in quotes`,
    );
  }
  try {
    return JSON.parse(text) as Json;
  } catch (cause) {
    throw new MemqError(
      "ARGS_INVALID",
      `${where} is not JSON: ${quoted(text)} (a string needs its quotes: '"hello"')`,
      { cause },
    );
  }
}

/** The call itself, when its names could be a handler's. @throws MemqError CALL_INVALID */
export function checkedCall<T extends Call>(call: T): T {
  assertMethodName(call.method);
  if (call.class !== undefined && !isIdentifier(call.class)) {
    throw new MemqError("CALL_INVALID", `${quoted(call.class)} cannot be the name of a class`);
  }
  if (call.class !== undefined && INHERITED.has(call.class)) {
    throw new MemqError("CALL_INVALID", `${quoted(call.class)} can never be the name of a handler class`);
  }
  return call;
}

function assertMethodName(method: string): void {
  if (!isIdentifier(method)) {
    throw new MemqError(
      "CALL_INVALID",
      `${quoted(method)} cannot be the name of a method${classHint(method)}`,
    );
  }
  if (!isPublicName(method)) {
    throw new MemqError("CALL_INVALID", `${quoted(method)} can never be called: it is not a public method`);
  }
  if (method === CLOSE) {
    throw new MemqError(
      "CALL_INVALID",
      `"${CLOSE}" can never be called: it is what a run calls at its end, to let go of what the handler holds`,
    );
  }
}

/** For `Worker.push('x')`: the class is named by an option. */
function classHint(method: unknown): string {
  const withClass = /^([\p{ID_Start}$_][\p{ID_Continue}$]*)\.([\p{ID_Start}$_][^]*)$/u;
  const [, className, rest] = (typeof method === "string" && withClass.exec(method)) || [];
  if (className === undefined || rest === undefined) return "";
  return `; to name the class: publish-task -C ${className} ${quoted(rest)}`;
}

/** False for `constructor`, `_x` and whatever every object inherits. */
export const isPublicName = (method: string): boolean => !method.startsWith("_") && !INHERITED.has(method);

// Plain JavaScript can pass anything, and a pattern would read undefined as the word "undefined".
const isIdentifier = (name: unknown): boolean =>
  typeof name === "string" &&
  (ASCII_IDENTIFIER.test(name) || /^[\p{ID_Start}$_][\p{ID_Continue}$\u200c\u200d]*$/u.test(name));

const parseJsonArg = (text: string, index: number): Json => parseJson(text, `argument ${String(index + 1)}`);

/** The user's text, quoted back, cut where it is long. */
function quoted(given: unknown): string {
  const text = typeof given === "string" ? given : typeof given;
  const limit = 60; // more would push the sentence off a mail's line
  return JSON.stringify(text.length <= limit ? text : `${text.slice(0, limit)}…`);
}
