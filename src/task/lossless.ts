import { MemqError } from "../errors.ts";

// A handler's stack ends before a deeper nesting does; and JSON.stringify recurses.
const MAX_DEPTH = 500;

// A path into a large value says enough with its end.
const MAX_PATH_CHARS = 80;

/** Where a value is not what JSON carries, and what it is there. */
interface Flaw {
  readonly path: string;
  readonly what: string;
}

/**
 * Checks that JSON carries the arguments without loss. `maxBytes` bounds the work: a value that refers to the
 * same objects over and over is small here and endless as text.
 * @throws MemqError ARGS_INVALID with the place, TASK_TOO_LARGE.
 */
export function assertLossless(args: readonly unknown[], maxBytes: number): void {
  if (!Array.isArray(args)) throw new MemqError("ARGS_INVALID", "the arguments are not a list");
  const search = new FlawSearch(maxBytes);
  for (let index = 0; index < args.length; index++) {
    const flaw = search.in(args[index], 0);
    if (flaw !== undefined)
      throw new MemqError("ARGS_INVALID", `argument ${String(index + 1)}${flawText(flaw)}`);
  }
}

/**
 * Where JSON would lose something of a value, in words that go behind its name: `.at is a Date, which JSON would
 * lose`; undefined: nowhere. @throws MemqError TASK_TOO_LARGE
 */
export function lossIn(value: unknown, maxBytes: number): string | undefined {
  const flaw = new FlawSearch(maxBytes).in(value, 0);
  return flaw && flawText(flaw);
}

const flawText = ({ path, what }: Flaw): string =>
  `${path.length <= MAX_PATH_CHARS ? path : `…${path.slice(-MAX_PATH_CHARS)}`} is ${what}`;

/** Whether arguments are nested deeper than any that pass here: whoever shows them would run out of stack. */
export const isTooDeep = (args: readonly unknown[]): boolean => hasDepth(args, MAX_DEPTH + 1);

const hasDepth = (value: unknown, left: number): boolean =>
  typeof value === "object" &&
  value !== null &&
  (left === 0 || Object.values(value).some((member) => hasDepth(member, left - 1)));

class FlawSearch {
  readonly #maxBytes: number;
  #seen = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** The first flaw in a value, or undefined. */
  in(value: unknown, depth: number): Flaw | undefined {
    this.#countOne();
    if (typeof value === "string" || typeof value === "boolean" || value === null) return undefined;
    if (typeof value === "number") return inNumber(value);
    if (typeof value !== "object") return lossy(value === undefined ? "undefined" : `a ${typeof value}`);
    if (depth >= MAX_DEPTH) return { path: "", what: "nested too deeply, or holds itself" };
    return Array.isArray(value) ? this.#inItems(value, depth) : this.#inMembers(value, depth);
  }

  // Every value takes a byte at least.
  #countOne(): void {
    if (++this.#seen <= this.#maxBytes) return;
    throw new MemqError(
      "TASK_TOO_LARGE",
      `the task takes more than max-size, ${String(this.#maxBytes)} bytes`,
    );
  }

  #inItems(items: readonly unknown[], depth: number): Flaw | undefined {
    if (Object.getPrototypeOf(items) !== Array.prototype) return lossy(`a ${className(items)}`);
    for (let index = 0; index < items.length; index++) {
      // Holes are met as undefined; forEach would skip them.
      const flaw = this.in(items[index], depth + 1);
      if (flaw !== undefined) return { ...flaw, path: `[${String(index)}]${flaw.path}` };
    }
    return Object.keys(items).length === items.length ? undefined : lossy("an array with named members");
  }

  #inMembers(value: object, depth: number): Flaw | undefined {
    const prototype: unknown = Object.getPrototypeOf(value);
    if (prototype !== Object.prototype && prototype !== null) return lossy(`a ${className(value)}`);
    if (Object.getOwnPropertySymbols(value).length > 0) return lossy("an object with a symbol key");
    if (typeof (value as { toJSON?: unknown }).toJSON === "function") return lossy("an object with toJSON");
    for (const [key, member] of Object.entries(value)) {
      const flaw = this.in(member, depth + 1);
      if (flaw !== undefined) return { ...flaw, path: `.${key}${flaw.path}` };
    }
    return undefined;
  }
}

function inNumber(value: number): Flaw | undefined {
  if (Object.is(value, -0)) return lossy("-0");
  return Number.isFinite(value) ? undefined : lossy(String(value));
}

const lossy = (what: string): Flaw => ({ path: "", what: `${what}, which JSON would lose` });

function className(value: object): string {
  const maker: unknown = (value as { constructor?: unknown }).constructor;
  return typeof maker === "function" && maker.name !== "" ? maker.name : "value of an unknown class";
}
