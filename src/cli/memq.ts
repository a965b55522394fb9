import { EXIT, MemqError } from "../errors.ts";
import { nearest } from "../task/nearest.ts";
import { columns } from "./columns.ts";
import { COMMON_OPTIONS, takeWord, type Options } from "./options.ts";
import type { Io } from "./io.ts";
import { helpText, runCommand, type Command, type Session } from "./shell.ts";
import { SUBCOMMANDS, type Subcommand } from "./subcommands.ts";

const briefs = columns([
  ...SUBCOMMANDS.map(({ name, brief }) => [`  ${name}`, brief]),
  ["  help", "the help of a subcommand"],
]);

const COMMAND: Command = {
  name: "memq",
  usage: "memq <subcommand> [options]",
  about: "Looks at queues and takes care of them. `memq help <subcommand>` tells more.",
  more: `Subcommands:\n${briefs.join("\n")}`,
  options: {},
  examples: [`memq init`, `memq status`, `memq list dead`, `memq retry --all`],
};

// Options may stand before the subcommand, so all of them are known before it is.
const ALL_OPTIONS: Options = Object.assign(
  {},
  ...SUBCOMMANDS.map(({ options }) => options),
  COMMON_OPTIONS,
) as Options;

/** The command memq. Resolves with the exit code. */
export function main(argv: readonly string[], io: Io): Promise<number> {
  const { word, rest } = takeWord(argv, ALL_OPTIONS);
  const line = { argv: rest, io };
  if (word === undefined) return runCommand(COMMAND, line, showUsage);
  if (word === "help") return runCommand(COMMAND, line, showHelp);
  const found = findSubcommand(word);
  if (found === undefined) {
    const command = { ...COMMAND, options: ALL_OPTIONS };
    return runCommand(command, line, () => Promise.reject(unknown(word)));
  }
  return runCommand({ ...found, name: `memq ${found.name}` }, line, async (session) =>
    (await found.load())(session),
  );
}

const findSubcommand = (word: string): Subcommand | undefined =>
  SUBCOMMANDS.find(({ name }) => name === word);

/** `memq` alone is a misuse, but one that wants to know. */
function showUsage({ io }: Session): Promise<number> {
  io.stderr.write(helpText(COMMAND));
  return Promise.resolve(EXIT.usage);
}

/** `memq help X` is `memq X --help`. */
function showHelp({ io, parsed }: Session): Promise<number> {
  const [word] = parsed.words;
  const found = word === undefined ? COMMAND : findSubcommand(word);
  if (found === undefined) throw unknown(word ?? "");
  io.stdout.write(helpText(found));
  return Promise.resolve(EXIT.ok);
}

function unknown(word: string): MemqError {
  const names = SUBCOMMANDS.map(({ name }) => name);
  const near = nearest(word, names);
  const hint = near === undefined ? `there are ${names.join(", ")}` : `did you mean "${near}"?`;
  return new MemqError("USAGE", `unknown subcommand ${JSON.stringify(word)}, ${hint}`);
}
