import { ownMembers } from "../task/own-members.ts";
import type { ProcessIdentity } from "./process-identity.ts";

// Of a line. Any change of meaning: add 1, and keep reading the old one.
const VERSION = 1;

/** A run began to work on a queue: it had something to do, and a slot. */
export interface Began {
  readonly kind: "began";
  /** The run's own name: the same for all its queues. */
  readonly run: string;
  readonly queue: string;
  readonly at: number;
  readonly who: ProcessIdentity;
  /** It is a worker's. */
  readonly worker?: true;
}

/** A run ended its work on a queue, or could not begin it. */
export interface EndedWork {
  readonly kind: "ended";
  readonly run: string;
  readonly queue: string;
  readonly at: number;
  readonly host: string;
  readonly pid: number;
  readonly startedAt: number;
  /** It was a worker's. */
  readonly worker?: true;
  /** How long it worked: without the time it waited for a slot, or for what fell due later. */
  readonly workedMs: number;
  readonly done: number;
  readonly retried: number;
  readonly dead: number;
  /** Undefined: the broker could not be asked. */
  readonly left?: number;
  /** Why: "empty", "max-time", "failed", … */
  readonly ended: string;
  /** What failed, for people. */
  readonly failure?: string;
  /** What it found out to be lost, for people: of an older memq, which noted it at the end. */
  readonly losses?: readonly string[];
}

/** A run or worker found out that tasks were lost: on record at once, for it may go on for weeks. */
export interface FoundLost {
  readonly kind: "lost";
  readonly run: string;
  readonly queue: string;
  /** When it was found out. */
  readonly at: number;
  /** It was a worker. */
  readonly worker?: true;
  /** What was lost, for people. */
  readonly losses: readonly string[];
}

export type LedgerEntry = Began | EndedWork | FoundLost;

// A line stays one small write, whatever a driver had to say.
const MOST_FAILURE = 500;

/** A line of the ledger, with its line end. */
export function encodeEntry(entry: LedgerEntry): string {
  const short =
    entry.kind === "ended" && entry.failure !== undefined
      ? { ...entry, failure: entry.failure.slice(0, MOST_FAILURE) }
      : entry;
  return `${JSON.stringify({ v: VERSION, ...short })}\n`;
}

/** The entries of a ledger's text; a torn line, or one of a newer memq, is passed over. */
export function parseEntries(text: string): readonly LedgerEntry[] {
  return text.split("\n").flatMap((line) => parseEntry(line) ?? []);
}

function parseEntry(line: string): LedgerEntry | undefined {
  try {
    const value = ownMembers(JSON.parse(line) as { readonly v?: unknown } & LedgerEntry);
    return value.v === VERSION && isEntry(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

const isEntry = (value: Partial<LedgerEntry>): boolean =>
  typeof value.run === "string" &&
  typeof value.queue === "string" &&
  typeof value.at === "number" &&
  isOfItsKind(value);

function isOfItsKind(value: Partial<LedgerEntry>): boolean {
  if (value.kind === "began") return typeof value.who === "object";
  if (value.kind === "lost") return Array.isArray(value.losses);
  return value.kind === "ended" && isEnded(value);
}

const isEnded = (value: Partial<EndedWork>): boolean =>
  [value.startedAt, value.workedMs, value.done, value.retried, value.dead].every(Number.isFinite) &&
  typeof value.ended === "string" &&
  (value.losses === undefined || Array.isArray(value.losses)) &&
  typeof value.host === "string";
