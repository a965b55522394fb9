import { ERRORS, MemqError } from "../errors.ts";
import type { RunOptions } from "../memq.ts";
import type { QueueReport, RunReport } from "../run/report.ts";
import type { RunEvent } from "../telemetry/events.ts";
import { choice, duration, size, wholeNumber } from "./option-values.ts";
import type { Options, Parsed } from "./options.ts";
import { startProgress, type Progress } from "./progress.ts";
import { eventLine, summaryLine } from "./run-lines.ts";
import { runCommand, type Command, type Io, type Session } from "./shell.ts";
import { stopOnSignals } from "./signals.ts";

const OPTIONS: Options = {
  "max-time": { value: "1h", doc: "start no task that would not fit into this time" },
  "max-tasks": { value: "N", doc: "start at most N tasks" },
  "max-memory": { value: "512M", doc: "end at this much memory (default: 80 % of the cgroup's)" },
  concurrency: { value: "N", doc: "tasks at a time, instead of the queue's" },
  timeout: { value: "D", doc: "for one attempt, instead of the queue's" },
  summary: {
    value: "text|json|never",
    doc: "say what the run did (default: only when there is something to tell)",
  },
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
  ],
};

/** The command runjobs. Resolves with the exit code. */
export function main(argv: readonly string[], io: Io): Promise<number> {
  return runCommand(COMMAND, { argv, io }, runJobs);
}

async function runJobs(session: Session): Promise<number> {
  const options = runOptions(session.parsed);
  const summary = choice(session.parsed, "summary", ["text", "json", "never"] as const);
  const memq = session.open();
  const queues = queueNames(session.parsed) ?? memq.config.queues.map(({ name }) => name);
  for (const name of queues) memq.queueConfig(name); // a misspelt name ends the run before it begins
  // So that the handlers' ./worker.log lands beside config.ini, wherever cron started us.
  process.chdir(memq.config.folder);
  const progress = startProgress(session.io, session.parsed.flag("quiet"));
  const signals = stopOnSignals((line) => {
    session.complain(line);
  });
  const report = await memq.run({
    ...options,
    queues,
    stop: signals.stop,
    ownsProcess: true,
    listener: (event) => {
      tell(session, progress, event);
    },
    say: (line) => {
      progress.clear();
      session.complain(line);
    },
  });
  progress.end();
  signals.release();
  conclude(session, report, summary);
  return report.exit;
}

function queueNames({ words, text }: Parsed): readonly string[] | undefined {
  const named = text("queue");
  const all = named === undefined ? words : [named, ...words];
  return all.length === 0 ? undefined : [...new Set(all)];
}

function runOptions(parsed: Parsed): RunOptions {
  const maxTime = duration(parsed, "max-time");
  const maxTasks = wholeNumber(parsed, "max-tasks", 1);
  const maxMemoryBytes = size(parsed, "max-memory");
  const concurrency = wholeNumber(parsed, "concurrency", 1);
  const timeout = duration(parsed, "timeout");
  if (timeout === 0) throw new MemqError("USAGE", "--timeout is longer than 0");
  return {
    ...(maxTime !== undefined && { maxTime }),
    ...(maxTasks !== undefined && { maxTasks }),
    ...(maxMemoryBytes !== undefined && { maxMemoryBytes }),
    ...(concurrency !== undefined && { concurrency }),
    ...(timeout !== undefined && { timeout }),
  };
}

function tell(session: Session, progress: Progress, event: RunEvent): void {
  progress.count(event);
  const line = eventLine(event, session.parsed.flag("verbose"), Date.now());
  if (line === undefined) return;
  progress.clear();
  session.complain(line);
}

type Summary = "text" | "json" | "never" | undefined;

function conclude(session: Session, report: RunReport, summary: Summary): void {
  for (const { queue, failure } of report.queues) {
    if (failure === undefined) continue;
    session.complain(
      `runjobs: queue "${queue}": ${failure.message} [${failure.code}]\n  ${ERRORS[failure.code].next}`,
    );
  }
  if (summary === "json" || session.parsed.flag("json")) session.print(JSON.stringify(report));
  else if (summary !== "never") sayQueues(session, report, summary);
}

function sayQueues(session: Session, report: RunReport, summary: Summary): void {
  for (const queue of report.queues) {
    if (summary === "text") session.complain(summaryLine(queue));
    else if (worthSaying(queue) || session.io.stderr.isTTY === true) session.say(summaryLine(queue));
  }
}

const worthSaying = (report: QueueReport): boolean =>
  report.retried + report.dead + report.leasesLost + report.losses.length > 0;
