import { describeError, EXIT, MemqError } from "../errors.ts";
import type { Memq } from "../memq.ts";
import { openConfiguration, openForQueue, openSoundParts, type SoundMemq } from "./configuration.ts";
import type { Io } from "./io.ts";
import { COMMON_OPTIONS, describeOptions, parseOptions, type Options, type Parsed } from "./options.ts";
import { watchOutput, type Output } from "./output.ts";
import { printableLines } from "./printable.ts";
import { version } from "./package-files.ts";

/** A command as its help shows it. */
export interface Command {
  readonly name: string;
  readonly usage: string;
  readonly about: string;
  /** Besides the common ones, or with other words in their place. */
  readonly options: Options;
  /** A block of the help above the options. */
  readonly more?: string;
  /** Shown under the options. */
  readonly examples: readonly string[];
}

/** What a command's action works with. */
export interface Session {
  readonly io: Io;
  readonly parsed: Parsed;
  /** Opens the configuration that the command line names. @throws MemqError CONFIG_* */
  readonly open: () => Memq;
  /** As `open`, for the queue of --queue: only what is wrong with that one counts. @throws MemqError CONFIG_* */
  readonly openQueue: () => Memq;
  /** As `open`, but a wrong section harms only itself; whoever asks tells the fault. @throws MemqError CONFIG_* */
  readonly openSound: () => SoundMemq;
  /** A line of data. */
  readonly print: (line: string) => void;
  /** A line of talk; not under --quiet. */
  readonly say: (line: string) => void;
  /** A line about something that went wrong. */
  readonly complain: (line: string) => void;
  /** An error that does not end the command; `about`: what it concerns, e.g. `queue "push"`. */
  readonly complainOf: (error: MemqError, about?: string) => void;
}

/** Parses, runs the action, prints its error, and resolves with the exit code. */
export async function runCommand(
  command: Command,
  { argv, io: given }: { readonly argv: readonly string[]; readonly io: Io },
  action: (session: Session) => Promise<number>,
): Promise<number> {
  muteNodeWarnings();
  const output = watchOutput(given);
  const { io } = output;
  let tone = toneOf(argv);
  try {
    const parsed = parseOptions(argv, { ...COMMON_OPTIONS, ...command.options });
    tone = { json: parsed.flag("json"), verbose: parsed.flag("verbose") };
    const code =
      shortAnswer(command, parsed, io) ?? (await withSession(command, { parsed, output, tone }, action));
    await output.written();
    output.endProcess(code);
    return code;
  } catch (error) {
    output.talk(errorText(command.name, error, tone));
    const code = error instanceof MemqError ? error.exit : EXIT.bug;
    output.endProcess(code);
    return code;
  }
}

/** How errors are told: as JSON for programs, with stacks for whoever looks for a bug. */
interface Tone {
  readonly json: boolean;
  readonly verbose: boolean;
}

/** The tone of a command line that may turn out not to be one. */
function toneOf(argv: readonly string[]): Tone {
  const end = argv.indexOf("--");
  const before = end === -1 ? argv : argv.slice(0, end);
  return { json: before.includes("--json"), verbose: before.includes("--verbose") };
}

function shortAnswer(command: Command, parsed: Parsed, io: Io): number | undefined {
  if (!parsed.flag("help") && !parsed.flag("version")) return undefined;
  io.stdout.write(parsed.flag("help") ? helpText(command) : `${version()}\n`);
  return EXIT.ok;
}

interface Surroundings {
  readonly parsed: Parsed;
  readonly output: Output;
  readonly tone: Tone;
}

async function withSession(
  command: Command,
  { parsed, output, tone }: Surroundings,
  action: (session: Session) => Promise<number>,
): Promise<number> {
  const { io } = output;
  let memq: Memq | undefined;
  const told = new Set<string>();
  const complainOf: Session["complainOf"] = (error, about) => {
    told.add(error.message);
    const name = about === undefined ? command.name : `${command.name}: ${about}`;
    output.talk(errorText(name, error, tone));
  };
  const session: Session = {
    io,
    parsed,
    open: () => (memq ??= openConfiguration(parsed, io)),
    openQueue: () => (memq ??= openForQueue(parsed, io)),
    openSound: () => {
      const sound = openSoundParts(parsed, io);
      memq = sound.memq;
      return sound;
    },
    print: (line) => {
      output.print(line);
    },
    say: (line) => {
      if (!parsed.flag("quiet")) output.talk(`${line}\n`);
    },
    complain: (line) => {
      output.talk(`${line}\n`);
    },
    complainOf,
  };
  return thenClosed(
    () => action(session),
    async () => memq?.close(),
    (error) => error instanceof MemqError && told.has(error.message),
  );
}

/** Closes whatever became of the action. When both fail the action's error counts: the other mostly says it again. */
async function thenClosed(
  act: () => Promise<number>,
  close: () => Promise<void>,
  isTold: (error: unknown) => boolean,
): Promise<number> {
  const acted = await act().then(
    (code) => ({ code }),
    (error: unknown) => ({ error }),
  );
  try {
    await close();
  } catch (error) {
    if (!("error" in acted) && !isTold(error)) throw error;
  }
  if ("error" in acted) throw acted.error;
  return acted.code;
}

/** The help of a command. */
export function helpText(command: Command): string {
  const own = command.options;
  const common = Object.entries(COMMON_OPTIONS).filter(([name]) => !Object.hasOwn(own, name));
  const parts = [
    `Usage: ${command.usage}`,
    command.about,
    ...(command.more === undefined ? [] : [command.more]),
    ...(Object.keys(own).length === 0 ? [] : [`Options:\n${describeOptions(own)}`]),
    `Common options:\n${describeOptions(Object.fromEntries(common))}`,
    `Examples:\n${command.examples.map((line) => `  ${line}`).join("\n")}`,
  ];
  return `${parts.join("\n\n")}\n`;
}

/** An error for people: what happened, and what to do next; under --json the same in one line of JSON. */
export function errorText(name: string, error: unknown, { json, verbose }: Tone): string {
  const known = error instanceof MemqError ? error : new MemqError("BUG", describeError(error));
  const { code, message, next } = known;
  const stack = verbose && error instanceof Error ? (error.stack ?? "") : "";
  if (json) {
    const shown = { code, message: `${name}: ${message}`, next, ...(stack !== "" && { stack }) };
    return `${JSON.stringify({ error: shown })}\n`;
  }
  return `${name}: ${printableLines(message)} [${code}]\n  ${next}\n${stack === "" ? "" : `${stack}\n`}`;
}

/** Cron mails every word; what Node wants to say of its own features is not for its readers. */
function muteNodeWarnings(): void {
  process.removeAllListeners("warning");
  process.on("warning", () => undefined);
}
