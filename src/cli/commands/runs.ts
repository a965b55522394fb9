import { END_TEXT } from "../../run/summary.ts";
import type { QueueConfig } from "../../config/config.ts";
import { MemqError } from "../../errors.ts";
import { QueueRuns } from "../../host/queue-runs.ts";
import { QueueWorkers } from "../../host/queue-workers.ts";
import type { SlotHolder } from "../../host/run-slots.ts";
import { recordsOf, type RunRecord } from "../../host/run-record.ts";
import { formatDuration } from "../../task/duration.ts";
import { columns } from "../columns.ts";
import { heading } from "../emphasis.ts";
import { wholeNumber } from "../option-values.ts";
import { assertNoWords } from "../options.ts";
import { counted, cut, isoTime, printable } from "../printable.ts";
import { localTime } from "../../telemetry/local-time.ts";
import { chooseQueues } from "../queues.ts";
import type { Session } from "../shell.ts";

const DEFAULT_LIMIT = 20; // a screenful
const FAILURE_WIDTH = 80;

/** `memq runs`: what runs did on this host, the latest first; those that found nothing to do are counted. */
export function runs(session: Session): Promise<number> {
  assertNoWords(session.parsed);
  const limit = wholeNumber(session.parsed, "limit", 1) ?? DEFAULT_LIMIT;
  const { queues, exit } = chooseQueues(session);
  const seen = seenOf(queues, Date.now());
  const shown = { ...seen, records: seen.records.slice(0, limit) };
  if (session.parsed.flag("json")) session.print(JSON.stringify(runsJson(shown)));
  else showRuns(session, shown);
  return Promise.resolve(exit);
}

interface Seen {
  /** Those that live. */
  readonly workers: readonly (SlotHolder & { readonly queue: string })[];
  readonly records: readonly RunRecord[];
  /** Runs that found nothing to do. */
  readonly empty: readonly { readonly queue: string; readonly count: number; readonly lastAt: number }[];
}

/** @throws MemqError STORE_UNUSABLE when what the host remembers cannot be read. */
function seenOf(queues: readonly QueueConfig[], nowMs: number): Seen {
  try {
    const places = queues.map(({ name, storePath }) => ({
      name,
      runs: new QueueRuns({ storePath, queue: name }),
      workers: new QueueWorkers({ storePath, queue: name }),
    }));
    const entries = places.flatMap(({ runs: one }) => one.history(nowMs));
    return {
      workers: places.flatMap(({ name, workers }) =>
        workers.living().map((one) => ({ ...one, queue: name })),
      ),
      records: recordsOf(entries),
      empty: places.flatMap(({ name, runs: one }) => {
        const found = one.emptyRuns();
        return found === undefined ? [] : [{ queue: name, ...found }];
      }),
    };
  } catch (cause) {
    if (!(cause instanceof Error)) throw cause;
    throw new MemqError("STORE_UNUSABLE", `what runs did cannot be read: ${cause.message}`, { cause });
  }
}

const HEADINGS = ["started", "took", "run", "queue", "done", "retried", "dead", "left", "ended"];
const NUMBERS = [4, 5, 6, 7];

function showRuns(session: Session, { workers, records, empty }: Seen): void {
  const [headings = "", ...lines] = columns([HEADINGS, ...records.map(rowOf)], { right: NUMBERS });
  if (records.length > 0) session.print([heading(headings, session.io), ...lines].join("\n"));
  for (const { queue, count, lastAt } of empty) {
    session.say(`${queue}: ${counted(count, "run")} found nothing to do, the last at ${localTime(lastAt)}`);
  }
  for (const queue of new Set(workers.map((one) => one.queue))) {
    const living = workers.filter((one) => one.queue === queue);
    const since = Math.min(...living.map(({ sinceMs }) => sinceMs));
    session.say(
      `${queue}: ${counted(living.length, "worker")} at work, the oldest since ${localTime(since)}`,
    );
  }
  if (records.length + empty.length === 0) session.say("No run has looked at a queue on this host yet.");
}

function rowOf({ startedAt, who, queue, worker, end, state }: RunRecord): readonly string[] {
  const begun = [
    localTime(startedAt),
    end === undefined ? "" : formatDuration(end.at - startedAt),
    worker === true ? `${who} (worker)` : who,
    queue,
  ];
  if (end === undefined) return [...begun, "", "", "", "", state];
  const unknown = worker === true ? "" : "?"; // a worker leaves in the midst of it
  const left = end.left === undefined ? unknown : String(end.left);
  return [...begun, String(end.done), String(end.retried), String(end.dead), left, endOf(end)];
}

function endOf({ ended, failure }: NonNullable<RunRecord["end"]>): string {
  if (failure !== undefined) return cut(printable(failure), FAILURE_WIDTH);
  return Object.hasOwn(END_TEXT, ended) ? END_TEXT[ended as keyof typeof END_TEXT] : ended;
}

function runsJson({ workers, records, empty }: Seen): object {
  return {
    workers: workers.map(({ queue, name, sinceMs }) => ({ queue, who: name, since: isoTime(sinceMs) })),
    runs: records.map(({ run, queue, who, worker, startedAt, state, end }) => ({
      run,
      who,
      queue,
      ...(worker === true && { worker }),
      state,
      startedAt: isoTime(startedAt),
      ...(end !== undefined && {
        endedAt: isoTime(end.at),
        done: end.done,
        retried: end.retried,
        dead: end.dead,
        ...(end.left !== undefined && { left: end.left }),
        ended: end.ended,
        ...(end.failure !== undefined && { failure: end.failure }),
      }),
    })),
    empty: empty.map(({ queue, count, lastAt }) => ({ queue, count, lastAt: isoTime(lastAt) })),
  };
}
