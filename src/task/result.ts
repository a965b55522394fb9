import { describeError, MemqError } from "../errors.ts";
import { isTooDeep, lossIn } from "./lossless.ts";
import { ownMembers } from "./own-members.ts";
import type { Json } from "./task.ts";

/** How a task has ended, as far as it is known. */
export type TaskResult =
  | {
      readonly kind: "done";
      readonly id: string;
      /** What the handler returned; undefined: nothing, or it is omitted. */
      readonly value?: Json;
      /** Why the value is not there. */
      readonly omitted?: string;
      /** The attempt that it took, from 1. */
      readonly attempt: number;
      /** What the handler took, in ms. */
      readonly ms: number;
      /** When it was done, in ms since 1970. */
      readonly at: number;
    }
  | {
      readonly kind: "dead";
      readonly id: string;
      /** What the last attempt said. */
      readonly reason: string;
      readonly attempt: number;
      /** When it was buried, in ms since 1970. */
      readonly at: number;
    };

/** How far a running task says it is: `done` of `total`, in units of its own. */
export interface Progress {
  readonly done: number;
  /** Undefined: nobody knows how much there is. */
  readonly total?: number;
  /** When it said so, in ms since 1970. */
  readonly at: number;
}

/** A returned value, or why it cannot be kept. */
export type Returned = { readonly value?: Json } | { readonly omitted: string };

/** How one attempt was done. */
export interface Deed {
  readonly attempt: number;
  readonly ms: number;
  readonly at: number;
}

// Any change: add 1, keep a reader for the old one.
const RESULT_VERSION = 1;

interface Body {
  readonly v: number;
  readonly a: number;
  readonly m: number;
  readonly t: number;
  readonly o?: string;
  readonly r?: Json;
}

/** The text to keep of a task that is done: with its value, or without when that takes more than `maxBytes`. */
export function encodeResult(deed: Deed, returned: unknown, maxBytes: number): string {
  const value = keepable(returned, maxBytes);
  const text = textOf(deed, value);
  const bytes = text.length * 3 <= maxBytes ? 0 : new TextEncoder().encode(text).length;
  if (bytes <= maxBytes) return text;
  const size = `${String(bytes)} bytes, max-size is ${String(maxBytes)}`;
  return textOf(deed, { omitted: `its value takes ${size}` });
}

/** The same text without the value, which is left out because of `why`. */
export function withoutValue(text: string, why: string): string {
  const body = JSON.parse(text) as Body;
  return textOf({ attempt: body.a, ms: body.m, at: body.t }, { omitted: why });
}

const textOf = ({ attempt, ms, at }: Deed, returned: Returned): string =>
  JSON.stringify({
    v: RESULT_VERSION,
    a: attempt,
    m: Math.round(ms * 1_000) / 1_000, // finer is noise
    t: at,
    ...("omitted" in returned ? { o: returned.omitted } : { r: returned.value }),
  });

function keepable(returned: unknown, maxBytes: number): Returned {
  if (returned === undefined) return {};
  try {
    const loss = lossIn(returned, maxBytes);
    return loss === undefined ? { value: returned as Json } : { omitted: `its value${loss}` };
  } catch (error) {
    const what = error instanceof MemqError ? "takes more than max-size" : "cannot be read";
    return { omitted: `its value ${what}: ${describeError(error)}` };
  }
}

/** The result that a text tells of; undefined for what is none, or a newer memq's. Never throws. */
export function decodeResult(id: string, text: string): TaskResult | undefined {
  const body = bodyIn(text);
  return (
    body && {
      kind: "done",
      id,
      ...(body.r !== undefined && { value: body.r }),
      ...(body.o !== undefined && { omitted: body.o }),
      attempt: body.a,
      ms: body.m,
      at: body.t,
    }
  );
}

function bodyIn(text: string): Body | undefined {
  try {
    const parsed: unknown = JSON.parse(text);
    if (typeof parsed !== "object" || parsed === null) return undefined;
    const body = ownMembers(parsed);
    return isBody(body) ? body : undefined;
  } catch {
    return undefined; // whatever it is, it is no result
  }
}

function isBody(body: { readonly [Key in keyof Body]?: unknown }): body is Body {
  const { v, a, m, t, o, r } = body;
  const areNumbers = [a, m, t].every((value) => typeof value === "number");
  return v === RESULT_VERSION && areNumbers && (o === undefined || typeof o === "string") && !isTooDeep([r]);
}
