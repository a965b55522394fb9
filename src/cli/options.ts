import { parseArgs } from "node:util";
import { MemqError } from "../errors.ts";
import { nearest } from "../task/nearest.ts";

/** One option of a command; help texts and parsing read the same line. */
export interface Option {
  readonly short?: string;
  /** What its value is called in the help; absent = a switch. */
  readonly value?: string;
  readonly doc: string;
}

export type Options = Readonly<Record<string, Option>>;

/** Taken by every command. */
export const COMMON_OPTIONS: Options = {
  config: { short: "c", value: "FILE", doc: "the configuration (default: MEMQ_CONFIG, else ./config.ini)" },
  queue: { short: "q", value: "NAME", doc: "the queue (default: the one that the top-level keys describe)" },
  json: { doc: "print JSON" },
  quiet: { doc: "say nothing but errors" },
  verbose: { doc: "say more: stacks, returned values" },
  yes: { doc: "do not ask" },
  help: { short: "h", doc: "show this help" },
  version: { doc: "show the version" },
};

/** The words of a command line, told apart. */
export interface Parsed {
  readonly words: readonly string[];
  /** The value of an option, when it was given. */
  readonly text: (name: string) => string | undefined;
  readonly flag: (name: string) => boolean;
}

// An argument may be a negative number; parseArgs would take it for options.
const NEGATIVE_NUMBER = /^-(?:\d|\.\d)/;
const MARK = "\0";

/**
 * Tells options from words. Options stand anywhere before `--`.
 * @throws MemqError USAGE with the option and a "did you mean".
 */
export function parseOptions(argv: readonly string[], options: Options): Parsed {
  const { values, positionals } = parse(argv, options);
  const unmark = (text: string): string => (text.startsWith(MARK) ? text.slice(1) : text);
  return {
    words: positionals.map(unmark),
    text: (name) => {
      const value = values[name];
      return typeof value === "string" ? unmark(value) : undefined;
    },
    flag: (name) => values[name] === true,
  };
}

type Values = Readonly<Record<string, string | boolean | undefined>>;

function parse(argv: readonly string[], options: Options): { values: Values; positionals: string[] } {
  const end = argv.indexOf("--");
  const args = argv.map((word, i) =>
    (end === -1 || i < end) && NEGATIVE_NUMBER.test(word) ? MARK + word : word,
  );
  try {
    return parseArgs({ args, options: parserTable(options), allowPositionals: true, strict: true });
  } catch (error) {
    throw usageError(error, options);
  }
}

const parserTable = (options: Options): Record<string, { type: "string" | "boolean"; short?: string }> =>
  Object.fromEntries(
    Object.entries(options).map(([name, { short, value }]) => [
      name,
      { type: value === undefined ? "boolean" : "string", ...(short !== undefined && { short }) },
    ]),
  );

function usageError(error: unknown, options: Options): MemqError {
  const message = error instanceof Error ? error.message : "";
  const word = /'(-[^' ,]*)/.exec(message)?.[1] ?? "";
  if (!message.startsWith("Unknown option")) {
    return new MemqError("USAGE", message.split(/\.\s|\n/)[0] ?? message, { cause: error });
  }
  const near = nearest(
    word,
    Object.keys(options).map((name) => `--${name}`),
  );
  const hint = near === undefined ? "" : `, did you mean ${near}?`;
  const way = `an argument that begins with "-" goes behind --`;
  return new MemqError("USAGE", `unknown option ${word}${hint} (${way})`, { cause: error });
}

/** The option lines of a help text. */
export function describeOptions(options: Options): string {
  const left = Object.entries(options).map(([name, { short, value }]) => {
    const brief = short === undefined ? "    " : `-${short}, `;
    return `  ${brief}--${name}${value === undefined ? "" : ` ${value}`}`;
  });
  const width = Math.max(...left.map((text) => text.length)) + 2;
  return Object.values(options)
    .map(({ doc }, i) => `${(left[i] ?? "").padEnd(width)}${doc}`)
    .join("\n");
}
