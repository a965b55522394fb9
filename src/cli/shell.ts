import { loadConfig } from "../config/load.ts";
import { describeError, EXIT, MemqError } from "../errors.ts";
import { Memq } from "../memq.ts";
import { COMMON_OPTIONS, describeOptions, parseOptions, type Options, type Parsed } from "./options.ts";
import { version } from "./version.ts";

/** The part of `process` that commands use; tests hand in their own. */
export interface Io {
  readonly stdin: NodeJS.ReadableStream & { readonly isTTY?: boolean };
  readonly stdout: NodeJS.WritableStream & { readonly isTTY?: boolean };
  readonly stderr: NodeJS.WritableStream & { readonly isTTY?: boolean; readonly columns?: number };
  readonly env: NodeJS.ProcessEnv;
  cwd(): string;
}

/** A command as its help shows it. */
export interface Command {
  readonly name: string;
  readonly usage: string;
  readonly about: string;
  readonly options: Options;
  /** Shown under the options. */
  readonly examples: readonly string[];
}

/** What a command's action works with. */
export interface Session {
  readonly io: Io;
  readonly parsed: Parsed;
  /** Opens the configuration that the command line names. @throws MemqError CONFIG_* */
  readonly open: () => Memq;
  /** A line of data. */
  readonly print: (line: string) => void;
  /** A line of talk; not under --quiet. */
  readonly say: (line: string) => void;
  /** A line about something that went wrong. */
  readonly complain: (line: string) => void;
}

/** Parses, runs the action, prints its error, and resolves with the exit code. */
export async function runCommand(
  command: Command,
  { argv, io }: { readonly argv: readonly string[]; readonly io: Io },
  action: (session: Session) => Promise<number>,
): Promise<number> {
  muteNodeWarnings();
  ignoreClosedPipe(io);
  let verbose = argv.includes("--verbose");
  try {
    const parsed = parseOptions(argv, { ...command.options, ...COMMON_OPTIONS });
    verbose = parsed.flag("verbose");
    if (parsed.flag("help")) return print(io, helpText(command));
    if (parsed.flag("version")) return print(io, `${version()}\n`);
    return await withSession(parsed, io, action);
  } catch (error) {
    io.stderr.write(errorText(command.name, error, verbose));
    return error instanceof MemqError ? error.exit : EXIT.bug;
  }
}

async function withSession(
  parsed: Parsed,
  io: Io,
  action: (session: Session) => Promise<number>,
): Promise<number> {
  let memq: Memq | undefined;
  const session: Session = {
    io,
    parsed,
    open: () => (memq ??= openMemq(parsed, io)),
    print: (line) => void io.stdout.write(`${line}\n`),
    say: (line) => {
      if (!parsed.flag("quiet")) io.stderr.write(`${line}\n`);
    },
    complain: (line) => void io.stderr.write(`${line}\n`),
  };
  try {
    return await action(session);
  } finally {
    await memq?.close();
  }
}

function openMemq(parsed: Parsed, io: Io): Memq {
  const path = parsed.text("config");
  return new Memq(loadConfig({ env: io.env, cwd: io.cwd(), ...(path !== undefined && { path }) }));
}

function print(io: Io, text: string): number {
  io.stdout.write(text);
  return EXIT.ok;
}

/** The help of a command. */
export function helpText(command: Command): string {
  const parts = [
    `Usage: ${command.usage}`,
    command.about,
    ...(Object.keys(command.options).length === 0 ? [] : [`Options:\n${describeOptions(command.options)}`]),
    `Common options:\n${describeOptions(COMMON_OPTIONS)}`,
    `Examples:\n${command.examples.map((line) => `  ${line}`).join("\n")}`,
  ];
  return `${parts.join("\n\n")}\n`;
}

/** An error for people: what happened, and what to do next. */
export function errorText(name: string, error: unknown, verbose: boolean): string {
  const stack = verbose && error instanceof Error ? `${error.stack ?? ""}\n` : "";
  if (error instanceof MemqError)
    return `${name}: ${error.message} [${error.code}]\n  ${error.next}\n${stack}`;
  const bug = new MemqError("BUG", describeError(error));
  return `${name}: ${bug.message} [${bug.code}]\n  ${bug.next}\n${stack}`;
}

/** Cron mails every word; what Node wants to say of its own features is not for its readers. */
function muteNodeWarnings(): void {
  process.removeAllListeners("warning");
  process.on("warning", () => undefined);
}

/** `memq list | head` closes the pipe early; that is no error. */
function ignoreClosedPipe(io: Io): void {
  io.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
  });
}
