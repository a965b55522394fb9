import { EXIT, type ExitCode } from "./exit.ts";

export { EXIT, worstExit, type ExitCode } from "./exit.ts";
export { describeError } from "./describe-error.ts";

interface ErrorLine {
  readonly exit: ExitCode;
  readonly what: string;
  readonly next: string;
}

/**
 * The one table of everything that can go wrong. A code is stable; its line says what happened in
 * general, how a command exits, and what to do next. docs/errors.md is checked against it.
 */
export const ERRORS = {
  USAGE: {
    exit: EXIT.usage,
    what: "The command line could not be understood.",
    next: "Run the command with --help.",
  },
  CALL_INVALID: {
    exit: EXIT.usage,
    what: "The text is not a method call.",
    next: `Write a method and its arguments, e.g. publish-task saveToLocal "hello".`,
  },
  ARGS_INVALID: {
    exit: EXIT.data,
    what: "The arguments are not JSON, or hold a value that JSON would lose.",
    next: "Correct what is named: arguments are strings, finite numbers, booleans, null, plain arrays and plain objects.",
  },
  TASK_TOO_LARGE: {
    exit: EXIT.data,
    what: "The encoded task is larger than max-size.",
    next: "Put the data in a file or a database and publish its name, or raise max-size.",
  },
  DUPLICATE: {
    exit: EXIT.data,
    what: "An unfinished task has the same key.",
    next: "Wait until it is done, or use --on-duplicate keep; memq cancel --key removes it unless it runs already.",
  },
  TASK_BROKEN: {
    exit: EXIT.data,
    what: "The stored bytes are not a task.",
    next: "Look at it with memq show; memq purge dead removes it.",
  },
  TASK_FORGED: {
    exit: EXIT.data,
    what: "The task is not signed with this queue's secret.",
    next: "Check that publishers and runs have the same secret; memq purge dead removes it.",
  },
  NOT_FOUND: {
    exit: EXIT.data,
    what: "No task has that id or key.",
    next: "memq list shows the tasks there are. One that is done is not among them; memq show ID has its result while that is kept.",
  },
  NOT_DEAD: {
    exit: EXIT.data,
    what: "The task is not a dead letter.",
    next: "Only dead letters are put back; memq why ID tells when this task will run.",
  },
  EVENT_UNHEARD: {
    exit: EXIT.data,
    what: "Nobody listens to that event, so no task was published.",
    next: "memq emit --list shows what is listened to; an [event.NAME] section in config.ini adds to it.",
  },
  TASK_FAILED: {
    exit: EXIT.deadLetters,
    what: "The task that was waited for has become a dead letter; the message is what its last attempt said.",
    next: "Correct what it names, then put the task back with memq retry ID; memq show ID tells more.",
  },
  TASK_GONE: {
    exit: EXIT.data,
    what: "The task that was waited for is not there any more, and left no result.",
    next: "It was cancelled, purged or lost, or published without asking for a result; set results to keep those of all tasks.",
  },
  WAIT_TIMEOUT: {
    exit: EXIT.tryLater,
    what: "The task has not ended within the time; it is left alone.",
    next: "See that something runs the queue: runjobs, or cron; wait longer, or ask later with memq show ID.",
  },
  RESULT_OMITTED: {
    exit: EXIT.data,
    what: "The task is done, but what it returned could not be kept.",
    next: "Return what JSON carries and max-size allows, or the name of a file; when the server was full, give it more memory.",
  },
  BULK_CHANGED: {
    exit: EXIT.data,
    what: "The input of a bulk is not what the part published so far was made from.",
    next: "Give it the input it was begun with, or publish this one under another name.",
  },
  BULK_TAKEN: {
    exit: EXIT.tryLater,
    what: "Another process publishes the same bulk.",
    next: "Let it end; run the command again when it was killed.",
  },
  BULK_UNKNOWN: {
    exit: EXIT.data,
    what: "No bulk has that name.",
    next: "Name it as publish-task --bulk did; a bulk in memcached is gone when memcached restarts.",
  },
  BROKER_UNREACHABLE: {
    exit: EXIT.unreachable,
    what: "The server that keeps the queue did not answer.",
    next: "Check queueip and queueport, and that the server runs.",
  },
  NOT_MEMCACHED: {
    exit: EXIT.unreachable,
    what: "What listens at that address does not speak memcached's binary protocol, or not all of it.",
    next: "Point queueip and queueport at a stock memcached that is not started with -B ascii or -C.",
  },
  BROKER_REFUSED: {
    exit: EXIT.unreachable,
    what: "The server refused the user name or the password.",
    next: "Check username and password of the queue.",
  },
  UNSUPPORTED: {
    exit: EXIT.usage,
    what: "The broker of this queue cannot do that.",
    next: "Use a queue in the embedded store for it, or leave the option out.",
  },
  QUEUE_FULL: {
    exit: EXIT.tryLater,
    what: "The broker has no room for another task.",
    next: "Let runs drain the queue, or give the server more memory, then publish again.",
  },
  RUNS_FULL: {
    exit: EXIT.tryLater,
    what: "As many runs as may overlap work on the queue already.",
    next: "Let one of them end, raise max-runs, or run with --when-full wait.",
  },
  BUSY: {
    exit: EXIT.tryLater,
    what: "The store was locked by other processes for too long.",
    next: "Try again; if it lasts, look for a process that holds the store open.",
  },
  STORE_UNUSABLE: {
    exit: EXIT.config,
    what: "The folder of the embedded store cannot be used.",
    next: "Make the folder writable for every user that publishes or runs, or set store.",
  },
  STORE_FOREIGN: {
    exit: EXIT.config,
    what: "The file is not a store of memq, or of a newer memq.",
    next: "Point store at another folder, or install the newer memq.",
  },
  STORE_FULL: {
    exit: EXIT.tryLater,
    what: "The disk of the embedded store is full.",
    next: "Free space on that disk, then try again; tasks published earlier are kept.",
  },
  STORE_BROKEN: {
    exit: EXIT.loss,
    what: "The store's file is damaged.",
    next: "Restore it from a backup, or move it away and start with an empty store.",
  },
  SQLITE_MISSING: {
    exit: EXIT.config,
    what: "No SQLite that is safe for several processes was found.",
    next: "npm install @photostructure/sqlite, or use a newer Node.js.",
  },
  CONFIG_MISSING: {
    exit: EXIT.config,
    what: "The configuration file is not there.",
    next: "Run memq init, or name the file with --config or MEMQ_CONFIG.",
  },
  CONFIG_UNWRITABLE: {
    exit: EXIT.config,
    what: "A file that memq init makes cannot be written there.",
    next: "Make the folder writable for this user, or name a file elsewhere with --config.",
  },
  CONFIG_INVALID: {
    exit: EXIT.config,
    what: "The configuration file has faults.",
    next: "Correct what is named; memq check reads the file again.",
  },
  HANDLER_MISSING: {
    exit: EXIT.config,
    what: "The handler class could not be loaded.",
    next: "Check handlers and classname in config.ini; memq check tries them.",
  },
  ON_RESULT_UNUSABLE: {
    exit: EXIT.config,
    what: "The module of on-result could not be loaded, or holds no function.",
    next: "Check on-result in config.ini; memq check tries it.",
  },
  HANDLER_UNKNOWN: {
    exit: EXIT.config,
    what: "The task names a class or a method that is not there.",
    next: "Correct the handler, then put the task back with memq retry ID.",
  },
  TASK_RUNNING: {
    exit: EXIT.tryLater,
    what: "The task is running, so it is left alone.",
    next: "Wait until it has ended; memq show tells who runs it.",
  },
  LEASE_LOST: {
    exit: EXIT.loss,
    what: "The task's lease ended while it was running, and another run may have taken it.",
    next: "Make handlers idempotent; look for a process that was stopped or a machine that stalled.",
  },
  TASKS_LOST: {
    exit: EXIT.loss,
    what: "The server lost tasks that it had accepted.",
    next: "Publish again what was queued; memq doctor tells what to change, such as a dedicated memcached started with -M.",
  },
  CRONTAB_UNUSABLE: {
    exit: EXIT.config,
    what: "The user's crontab could not be read, changed or checked.",
    next: "memq crontab print shows the line; crontab -e takes it by hand.",
  },
  OUTPUT_LOST: {
    exit: EXIT.loss,
    what: "The output could not be written.",
    next: "What the command had to do is done; check where its standard output goes.",
  },
  BUG: {
    exit: EXIT.bug,
    what: "Something happened that memq did not expect.",
    next: "Run again with --verbose and report what it prints.",
  },
} as const satisfies Record<string, ErrorLine>;

export type ErrorCode = keyof typeof ERRORS;

/** What an error may bring besides: what it came of, and a next step that fits it better than the table's. */
export interface MemqErrorOptions {
  readonly cause?: unknown;
  readonly next?: string;
}

/** Every error that memq raises. `message` says what happened and where; the table says what to do next. */
export class MemqError extends Error {
  override readonly name = "MemqError";
  readonly code: ErrorCode;
  readonly #next: string | undefined;

  constructor(code: ErrorCode, message: string, { next, ...options }: MemqErrorOptions = {}) {
    super(message, options);
    this.code = code;
    this.#next = next;
  }

  /** How a command that ends with this error exits. */
  get exit(): ExitCode {
    return ERRORS[this.code].exit;
  }

  /** For answers and logs that are JSON: an error's own message is not part of that. */
  toJSON(): object {
    return { name: this.name, code: this.code, message: this.message };
  }

  /** What the reader can do about it, one sentence. */
  get next(): string {
    return this.#next ?? ERRORS[this.code].next;
  }
}
