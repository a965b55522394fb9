import { EXIT, MemqError, describeError } from "../errors.ts";
import type { PublishTo } from "../memq.ts";
import { parseCall } from "../task/call.ts";
import type { Call } from "../task/task.ts";
import { assertUnaltered } from "./command-line-bytes.ts";
import { choice, duration, moment, span, wholeNumber } from "./option-values.ts";
import type { Options, Parsed } from "./options.ts";
import type { Io } from "./io.ts";
import { warnOfServer } from "./server-warning.ts";
import { runCommand, type Command, type Session } from "./shell.ts";

const OPTIONS: Options = {
  queue: { short: "q", value: "NAME", doc: "the queue (default: the one that the top-level keys describe)" },
  class: { short: "C", value: "NAME", doc: "another class than classname" },
  delay: { short: "d", value: "20m", doc: "not before this long from now" },
  at: { value: "TIME", doc: "not before this time (ISO 8601)" },
  key: { short: "k", value: "K", doc: "one unfinished task per key" },
  "on-duplicate": {
    value: "keep|replace|error",
    doc: "what a key that is taken means (default keep: print its id)",
  },
  count: { short: "n", value: "N", doc: "publish the same task N times" },
  from: { value: "FILE|-", doc: "bulk: one task per line of a file or of standard input" },
  format: { value: "lines|ndjson", doc: "how its lines are read (default lines: the method's one argument)" },
  bulk: {
    value: "NAME",
    doc: "with --from: can be gone on with after a kill, by the same command, and waited for with memq wait NAME",
  },
  then: {
    value: "CALL",
    doc: "with --bulk: a task (Class.method('x') names its class) to publish, once, when all of the bulk is done, dead or cancelled",
  },
  errors: { value: "FILE", doc: "with --from: a JSON object in FILE for each line that is refused" },
  stdin: { doc: "the one argument is standard input" },
  "json-args": { doc: "parse each argument as JSON (default: strings)" },
  retries: { value: "N", doc: "attempts after the first, instead of the queue's" },
  timeout: { value: "D", doc: "for one attempt, instead of the queue's" },
  wait: {
    short: "w",
    value: "30s",
    doc: "wait until a run has done it: print its result alone (the id goes to stderr)",
  },
  now: { doc: "run it here and now, unqueued, to try a handler" },
  "dry-run": { doc: "show what would be published" },
};

const COMMAND: Command = {
  name: "publish-task",
  usage: "publish-task [options] <method> [args…]",
  about:
    "Publishes a method call to run later, and prints its id. Arguments are strings.\n" +
    "An argument that begins with - goes behind --.",
  options: OPTIONS,
  examples: [
    `publish-task saveToLocal "hello"`,
    `publish-task "saveToLocal('hello')"`,
    `publish-task closeOrder 42 --delay 20m --key order:42`,
    `publish-task push --queue push --from users.txt`,
    `publish-task push --from users.txt.gz --bulk spring --errors refused.ndjson`,
    `publish-task --json-args add 1 2 --wait 30s`,
  ],
};

/** The command publish-task. Resolves with the exit code. */
export function main(argv: readonly string[], io: Io): Promise<number> {
  return runCommand(COMMAND, { argv, io }, publishTask);
}

async function publishTask(session: Session): Promise<number> {
  const { parsed } = session;
  assertCompatible(parsed);
  const to = publishTo(parsed);
  const exit = await publishAs(session, to);
  if (!parsed.flag("now") && !parsed.flag("dry-run")) await warnOfServer(session, to);
  return exit;
}

async function publishAs(session: Session, to: PublishTo): Promise<number> {
  const { parsed } = session;
  if (parsed.text("from") !== undefined) return (await import("./bulk.ts")).publishFrom(session, to);
  const call = await readCall(session);
  if (parsed.flag("now")) return (await import("./call-now.ts")).callNow(session, call);
  if (parsed.flag("dry-run")) return (await import("./dry-run.ts")).showCall(session, call, to);
  const count = wholeNumber(parsed, "count", 1);
  if (count !== undefined) return (await import("./bulk.ts")).publishCount(session, call, to);
  const wait = span(parsed, "wait");
  if (wait !== undefined)
    return (await import("./awaited-call.ts")).callAndWait(session, call, { ...to, wait });
  return publishOne(session, call, to);
}

async function publishOne(session: Session, call: Call, to: PublishTo): Promise<number> {
  const id = await session.openQueue().publish(call.method, call.args, { ...classOf(call), ...to });
  session.print(session.parsed.flag("json") ? JSON.stringify({ id }) : id);
  return EXIT.ok;
}

const classOf = (call: Call): { class?: string } => (call.class === undefined ? {} : { class: call.class });

// Options that say different things about where the call comes from or goes to.
const EXCLUSIVE: readonly (readonly [string, string])[] = [
  ["from", "count"],
  ...["from", "count", "now", "dry-run"].map((name) => ["wait", name] as const),
  ["bulk", "dry-run"],
  ["from", "stdin"],
  ["from", "now"],
  ["from", "json-args"],
  ["now", "delay"],
  ["now", "at"],
  ["now", "key"],
  ["now", "count"],
  ["now", "dry-run"],
  ["delay", "at"],
  ["stdin", "json-args"],
];

// Options that mean nothing without another.
const COMPANIONS: readonly (readonly [string, string])[] = [
  ["format", "from"],
  ["bulk", "from"],
  ["errors", "from"],
  ["then", "bulk"],
];

function assertCompatible(parsed: Parsed): void {
  const given = (name: string): boolean => parsed.flag(name) || parsed.text(name) !== undefined;
  for (const [one, other] of EXCLUSIVE) {
    if (given(one) && given(other))
      throw new MemqError("USAGE", `--${one} and --${other} exclude each other`);
  }
  for (const [one, other] of COMPANIONS) {
    if (given(one) && !given(other)) throw new MemqError("USAGE", `--${one} goes with --${other}`);
  }
  if (given("on-duplicate") && !given("key") && !given("from")) {
    throw new MemqError("USAGE", "--on-duplicate goes with --key");
  }
}

async function readCall({ parsed, io }: Session): Promise<Call> {
  assertUnaltered([...parsed.words, parsed.text("key") ?? ""]);
  const name = parsed.text("class");
  const options = { jsonArgs: parsed.flag("json-args"), ...(name !== undefined && { class: name }) };
  if (!parsed.flag("stdin")) return parseCall(parsed.words, options);
  if (parsed.words.length > 1)
    throw new MemqError("USAGE", "with --stdin there are no arguments beside the method");
  return parseCall([...parsed.words, await readAll(io.stdin)], options);
}

const MAX_STDIN_BYTES = 64 * 1024 * 1024; // the largest max-size; somebody may pipe /dev/zero in

/** Standard input, its exact bytes as UTF-8. */
async function readAll(stdin: Io["stdin"]): Promise<string> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of stdin) {
    bytes += pieces[pieces.push(Buffer.from(piece as Buffer)) - 1]?.length ?? 0;
    if (bytes > MAX_STDIN_BYTES)
      throw new MemqError(
        "TASK_TOO_LARGE",
        "standard input is longer than 64 MiB, the most that max-size can be",
      );
  }
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(Buffer.concat(pieces));
  } catch (cause) {
    throw new MemqError("ARGS_INVALID", `standard input is not UTF-8: ${describeError(cause)}`, { cause });
  }
}

/** The options of the command line as the library takes them. @throws MemqError USAGE */
function publishTo(parsed: Parsed): PublishTo {
  const given = {
    queue: parsed.text("queue"),
    class: parsed.text("class"),
    key: parsed.text("key"),
    delay: duration(parsed, "delay"),
    at: moment(parsed, "at"),
    timeout: span(parsed, "timeout"),
    retries: wholeNumber(parsed, "retries", 0),
    onDuplicate: choice(parsed, "on-duplicate", ["keep", "replace", "error"] as const),
  };
  // Absent and undefined are not the same where options are laid over each other.
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}
