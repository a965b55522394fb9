import { parseArgs } from "node:util";
import { MemqError } from "../errors.ts";
import { nearest } from "../task/nearest.ts";
import { columns } from "./columns.ts";

/** One option of a command; help texts and parsing read the same line. */
export interface Option {
  readonly short?: string;
  /** What its value is called in the help; absent = a switch. */
  readonly value?: string;
  readonly doc: string;
  /** Given twice it is an error: whoever does so means both, and one of them would count. */
  readonly once?: boolean;
}

export type Options = Readonly<Record<string, Option>>;

/** Taken by every command. */
export const COMMON_OPTIONS: Options = {
  config: { short: "c", value: "FILE", doc: "the configuration (default: MEMQ_CONFIG, else ./config.ini)" },
  queue: {
    short: "q",
    value: "NAME",
    doc: "one queue (default: every queue of the configuration)",
    once: true,
  },
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
  return {
    words: positionals.map(unmark),
    text: (name) => {
      const value = values[name];
      return typeof value === "string" ? unmark(value) : undefined;
    },
    flag: (name) => values[name] === true,
  };
}

/**
 * Takes the first word out of a command line, past the options before it; `word` is undefined when there
 * is none. Says nothing about faults: whoever parses the rest does.
 */
export function takeWord(
  argv: readonly string[],
  options: Options,
): { readonly word?: string; readonly rest: readonly string[] } {
  const args = argv.map(String);
  const { tokens } = parseArgs({ args, options: parserTable(options), strict: false, tokens: true });
  const first = tokens.find((token) => token.kind === "positional");
  if (first === undefined) return { rest: argv };
  return { word: first.value, rest: argv.toSpliced(first.index, 1) };
}

const unmark = (text: string): string => (text.startsWith(MARK) ? text.slice(1) : text);

type Values = Readonly<Record<string, string | boolean | undefined>>;

function parse(argv: readonly string[], options: Options): { values: Values; positionals: string[] } {
  const end = argv.indexOf("--");
  const args = argv.map((word, i) =>
    (end === -1 || i < end) && NEGATIVE_NUMBER.test(word) ? MARK + word : word,
  );
  const { values, positionals, tokens } = parsed(args, options);
  const names = tokens.flatMap((token) => (token.kind === "option" ? [token.name] : []));
  const twice = names.find((name, i) => options[name]?.once === true && names.indexOf(name) < i);
  if (twice !== undefined) throw new MemqError("USAGE", `--${twice} is given more than once`);
  return { values, positionals };
}

function parsed(args: readonly string[], options: Options): ReturnType<typeof parseStrictly> {
  try {
    return parseStrictly(args, options);
  } catch (error) {
    throw usageError(error, options);
  }
}

const parseStrictly = (args: readonly string[], options: Options) =>
  parseArgs({
    args: [...args],
    options: parserTable(options),
    allowPositionals: true,
    strict: true,
    tokens: true,
  });

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
    return new MemqError("USAGE", valueFault(message, options), { cause: error });
  }
  const near = nearest(
    word,
    Object.keys(options).map((name) => `--${name}`),
  );
  const hint = near === undefined ? "" : `, did you mean ${near}?`;
  const way = `an argument that begins with "-" goes behind --`;
  return new MemqError("USAGE", `unknown option ${word}${hint} (${way})`, { cause: error });
}

/** What is wrong with the value of a known option. */
function valueFault(message: string, options: Options): string {
  const name = /--([\w-]+)/.exec(message)?.[1] ?? "";
  const value = options[name]?.value;
  if (value === undefined) return `--${name} takes no value`;
  const isNext = message.includes("ambiguous");
  const hint = isNext ? `; one that begins with "-" is written --${name}=…` : "";
  return `--${name} needs a value: --${name} ${value}${hint}`;
}

/** For commands that take a queue as an option only. @throws MemqError USAGE */
export function assertNoWords({ words }: Parsed): void {
  const [word] = words;
  if (word === undefined) return;
  throw new MemqError("USAGE", `takes no ${JSON.stringify(word)}; a queue is named with --queue`);
}

/** The option lines of a help text. */
export function describeOptions(options: Options): string {
  const rows = Object.entries(options).map(([name, { short, value, doc }]) => {
    const brief = short === undefined ? "    " : `-${short}, `;
    return [`  ${brief}--${name}${value === undefined ? "" : ` ${value}`}`, doc];
  });
  return columns(rows).join("\n");
}
