import type { Began, EndedWork, LedgerEntry } from "./ledger-entry.ts";
import { isGone } from "./queue-runs.ts";
import { nameOf, thisProcess } from "./process-identity.ts";

/** One run's work on one queue, as the ledger tells it. Times in ms since 1970. */
export interface RunRecord {
  /** The same for all queues of a run. */
  readonly run: string;
  readonly queue: string;
  /** `host:pid`. */
  readonly who: string;
  readonly startedAt: number;
  /** It is a worker's. */
  readonly worker?: true;
  /** "running": it has not ended. "killed": its process is gone and never said how it ended. */
  readonly state: "ended" | "running" | "killed" | "unknown";
  /** Absent unless it ended. */
  readonly end?: EndedWork;
}

/** What the entries of a ledger tell of each run, the latest first. */
export function recordsOf(entries: readonly LedgerEntry[]): readonly RunRecord[] {
  const records = new Map<string, RunRecord>();
  for (const entry of entries) {
    if (entry.kind === "lost") continue;
    const name = `${entry.run} ${entry.queue}`;
    const record = entry.kind === "began" ? begunRecord(entry) : endedRecord(entry);
    if (entry.kind === "ended" || !records.has(name)) records.set(name, record);
  }
  return [...records.values()].sort((a, b) => b.startedAt - a.startedAt);
}

const endedRecord = (end: EndedWork): RunRecord => ({
  run: end.run,
  queue: end.queue,
  who: `${end.host}:${String(end.pid)}`,
  startedAt: end.startedAt,
  ...kindOf(end),
  state: "ended",
  end,
});

const kindOf = ({ worker }: Began | EndedWork): Pick<RunRecord, "worker"> =>
  worker === true ? { worker } : {};

function begunRecord(began: Began): RunRecord {
  const { run, queue, at, who } = began;
  return { run, queue, who: nameOf(who), startedAt: at, ...kindOf(began), state: stateOf(began) };
}

function stateOf(began: Began): RunRecord["state"] {
  if (!isGone(began)) return "running";
  // Another host's processes cannot be seen from here.
  return began.who.host === thisProcess().host ? "killed" : "unknown";
}
