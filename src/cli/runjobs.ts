import { EXIT, worstExit } from "../errors.ts";
import type { RunOptions } from "../memq.ts";
import type { RunReport } from "../run/report.ts";
import { RateLimit } from "../telemetry/rate-limit.ts";
import type { RunEvent } from "../telemetry/events.ts";
import { size, span, wholeNumber } from "./option-values.ts";
import type { Options, Parsed } from "./options.ts";
import { startProgress } from "./progress.ts";
import { CARE_OPTIONS, careOptions, pingFailure, pingUrl } from "./run-care.ts";
import { eventLine, likeness } from "./run-lines.ts";
import { readSummary, tellReport } from "./run-telling.ts";
import type { Io } from "./io.ts";
import { soundQueues } from "./sound-queues.ts";
import { runCommand, type Command, type Session } from "./shell.ts";
import { fireSchedules, soon } from "./schedules.ts";
import { stopOnSignals } from "./signals.ts";

const OPTIONS: Options = {
  "max-time": {
    value: "1h",
    doc: "start no task that would not fit into this time; what runs ends by its own timeout",
  },
  "max-tasks": { value: "N", doc: "start at most N tasks" },
  "max-memory": { value: "512M", doc: "end at this much memory (default: 80 % of the cgroup's)" },
  concurrency: { value: "N", doc: "tasks at a time, instead of the queue's" },
  timeout: { value: "D", doc: "for one attempt, instead of the queue's" },
  summary: {
    value: "text|json|never",
    doc: "say what the run did (default: only when there is something to tell)",
  },
  ...CARE_OPTIONS,
  cron: { value: `"*/10 * * * *"`, doc: "stay, and start a run at these times, where there is no cron" },
};

const COMMAND: Command = {
  name: "runjobs",
  usage: "runjobs [options] [queue…]",
  about:
    "Runs what is waiting, and exits. Without a queue: all queues of the configuration, side by side.\n" +
    "Silent when all went well and nobody watches, so that cron mails only what matters.",
  options: OPTIONS,
  examples: [
    `runjobs`,
    `runjobs push --max-time 9m`,
    `*/10 * * * * cd /path/to/project && runjobs      # a crontab line`,
    `runjobs --summary json`,
    `runjobs --cover --when-full skip`,
    `runjobs --cron "*/10 * * * *"                    # in a container`,
  ],
};

/** The command runjobs. Resolves with the exit code. */
export function main(argv: readonly string[], io: Io): Promise<number> {
  return runCommand(COMMAND, { argv, io }, (session) =>
    session.parsed.text("cron") === undefined ? runJobs(session) : stay(session, argv),
  );
}

/** A run that cannot even begin is told to the monitor that the command line names. */
async function runJobs(session: Session): Promise<number> {
  const ping = pingUrl(session.parsed);
  try {
    return await runQueues(session);
  } catch (error) {
    if (ping !== undefined) await pingFailure(ping, error);
    throw error;
  }
}

async function runQueues(session: Session): Promise<number> {
  const options = runOptions(session.parsed);
  const summary = readSummary(session.parsed);
  const { memq, fault, queues } = soundQueues(session);
  const care = await careOptions(session, memq, queues);
  // So that the handlers' ./worker.log lands beside config.ini, wherever cron started us.
  process.chdir(memq.config.folder);
  const schedules = fireSchedules(session, memq, queues);
  await soon(schedules);
  const besides = schedules.then((code) => worstExit([code, fault?.exit ?? EXIT.ok]));
  const report = await watched(session, (watch) =>
    memq.run({ ...options, ...care, ...watch, queues, besides }),
  );
  tellReport(session, report, summary);
  return report.exit;
}

/** `--cron`: starts runs instead of being one. What is wrong with the rest of the line is found out now. */
async function stay(session: Session, argv: readonly string[]): Promise<number> {
  const { readCron, stayResident } = await import("./resident.ts");
  const cron = readCron(session.parsed);
  runOptions(session.parsed);
  readSummary(session.parsed);
  const { memq, queues } = soundQueues(session);
  // Where `every` is not set, a covering run gets to know it from the one who starts it.
  const care = session.parsed.flag("cover") ? {} : await careOptions(session, memq, queues);
  return stayResident(session, { argv, cron, memq, queues, ...care });
}

type Watch = Required<Pick<RunOptions, "stop" | "ownsProcess" | "listener" | "say">>;

/** A run with its progress shown and signals minded, whatever becomes of it. */
async function watched(session: Session, run: (watch: Watch) => Promise<RunReport>): Promise<RunReport> {
  const progress = startProgress(session.io, session.parsed.flag("quiet"));
  const say = (line: string): void => {
    progress.clear();
    session.complain(line);
  };
  (await import("./late-strays.ts")).mindLateStrays(session);
  const signals = stopOnSignals(say);
  const verbose = session.parsed.flag("verbose");
  const limited = new RateLimit(say);
  const listener = (event: RunEvent): void => {
    progress.count(event);
    const line = eventLine(event, verbose, Date.now());
    if (line === undefined) return;
    if (verbose) say(line);
    else limited.say({ line, ...likeness(event) });
  };
  try {
    return await run({ stop: signals.stop, ownsProcess: true, listener, say });
  } finally {
    progress.end();
    limited.end();
    signals.release();
  }
}

function runOptions(parsed: Parsed): RunOptions {
  const maxTime = span(parsed, "max-time");
  const maxTasks = wholeNumber(parsed, "max-tasks", 1);
  const maxMemoryBytes = size(parsed, "max-memory");
  const concurrency = wholeNumber(parsed, "concurrency", 1);
  const timeout = span(parsed, "timeout");
  return {
    ...(maxTime !== undefined && { maxTime }),
    ...(maxTasks !== undefined && { maxTasks }),
    ...(maxMemoryBytes !== undefined && { maxMemoryBytes }),
    ...(concurrency !== undefined && { concurrency }),
    ...(timeout !== undefined && { timeout }),
  };
}
