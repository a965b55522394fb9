import type { Settled, Settlement } from "../../ports/broker.ts";
import type { Keep } from "../../ports/results.ts";
import type { Outcome } from "../../task/outcome.ts";
import type { Connection } from "./connection.ts";
import { dropEmptyRanges, leaveRanges } from "./held-ranges.ts";
import { rangesOf } from "./row-range.ts";
import { isOnRecord } from "./holder.ts";
import type { Holding, Owner } from "./owner.ts";
import { forgetProgress, keepResults, type Kept } from "./results.ts";
import { STATE } from "./schema.ts";
import type { StoredQueue } from "./stored-queue.ts";
import { storedError } from "./stored-text.ts";

// A stack trace and its message; dead letters must not fill the disk with theirs.
const MAX_ERROR_CHARS = 4_096;

interface Ending {
  readonly holding: Holding;
  readonly outcome: Outcome;
  readonly keep: Keep | undefined;
}

/** What was answered, and which bells are to be rung. */
export interface SettleReport {
  readonly answers: readonly Settled[];
  readonly retried: boolean;
  /** Whether somebody may wait to hear of it. */
  readonly ended: boolean;
}

/** Ends claims, all in one transaction. Only what may be done twice (done) is left to a power cut to forget. */
export async function settle(
  queue: StoredQueue,
  owner: Owner,
  settlements: readonly Settlement[],
): Promise<SettleReport> {
  owner.interrupt();
  const endings = endingsOf(owner, settlements);
  const recorded = endings.length > 0 && (await record(queue, owner, endings));
  // Dropped once, it is not held a second time.
  const answers = settlements.map(({ claim }) => (recorded && owner.drop(claim) ? "settled" : "lost"));
  owner.resume();
  return {
    answers,
    retried: recorded && endings.some(({ outcome }) => outcome.kind === "retry"),
    ended: recorded && endings.some(({ outcome, keep }) => outcome.kind === "dead" || keep !== undefined),
  };
}

/** What this owner still holds; a claim that is settled twice counts once. */
function endingsOf(owner: Owner, settlements: readonly Settlement[]): readonly Ending[] {
  const endings: Ending[] = [];
  const ending = new Set<Holding>();
  for (const { claim, outcome, keep } of settlements) {
    const holding = owner.holding(claim);
    if (holding === undefined || ending.has(holding)) continue;
    ending.add(holding);
    endings.push({ holding, outcome, keep });
  }
  return endings;
}

/** False: others have taken over what this owner held. */
async function record(queue: StoredQueue, owner: Owner, endings: readonly Ending[]): Promise<boolean> {
  const { tenure } = owner;
  if (tenure === undefined) return false;
  const durability = endings.every(mayBeRepeated) ? "relaxed" : "synced";
  const held = await queue.connection.write(durability, () => {
    if (!isOnRecord(queue.connection, tenure.holder)) return false;
    finish(queue, tenure.holder, endings);
    return true;
  });
  if (!held) owner.lose();
  return held;
}

/** What somebody was told, or is to be tried later, must not come undone. */
const mayBeRepeated = ({ outcome, keep }: Ending): boolean => outcome.kind === "done" && keep === undefined;

function finish(queue: StoredQueue, holder: number, endings: readonly Ending[]): void {
  const { connection, clock } = queue;
  const nowMs = clock.now();
  const change = { waiting: 0, delayed: 0, dead: 0 };
  const { done, back, kept, said } = sorted(endings);
  if (back.length > 0)
    leaveRanges(
      connection,
      holder,
      back.map(({ holding }) => holding.row),
    );
  for (const { holding, outcome } of back) change[requeue(queue, holding, { holder, outcome, nowMs })]++;
  remove(connection, holder, done);
  dropEmptyRanges(connection, holder);
  queue.count({ ...change, running: -endings.length });
  keepResults(queue, kept, nowMs);
  forgetProgress(queue, said);
}

/** What is to be done about endings, each kind in its order. */
interface Sorted {
  readonly done: readonly number[];
  readonly back: readonly { readonly holding: Holding; readonly outcome: Undone }[];
  readonly kept: readonly Kept[];
  readonly said: readonly number[];
}

type Undone = Exclude<Outcome, { kind: "done" }>;

function sorted(endings: readonly Ending[]): Sorted {
  const done: number[] = [];
  const back: { holding: Holding; outcome: Undone }[] = [];
  const kept: Kept[] = [];
  const said: number[] = [];
  for (const { holding, outcome, keep } of endings) {
    if (holding.hasReported) said.push(holding.row);
    if (outcome.kind !== "done") {
      back.push({ holding, outcome });
      continue;
    }
    done.push(holding.row);
    if (keep !== undefined) kept.push({ row: holding.row, keep });
  }
  return { done, back, kept, said };
}

function remove(connection: Connection, holder: number, rows: readonly number[]): void {
  for (const { first, last } of rangesOf(rows)) {
    connection.run(
      "DELETE FROM task WHERE id BETWEEN ? AND ? AND (holder = ? OR holder IS NULL)",
      first,
      last,
      holder,
    );
  }
}

/** Puts a task where its outcome wants it; answers the counter that counts it there. */
function requeue(
  { connection }: StoredQueue,
  holding: Holding,
  end: {
    readonly holder: number;
    readonly outcome: Undone;
    readonly nowMs: number;
  },
): "waiting" | "delayed" | "dead" {
  const { counter, at, error } = placeOf(end.outcome, end.nowMs);
  connection.run(
    `UPDATE task SET state = ?, at = ?, attempts = ?, error = ?, asked_from = ?, holder = NULL, suspect = 0, started = 0,
       presumed = 0, claims = claims + (holder IS NULL)
     WHERE id = ? AND (holder = ? OR holder IS NULL)`,
    STATE[counter],
    at,
    chargedAttempts(holding),
    storedError(error, MAX_ERROR_CHARS),
    (end.outcome.kind === "retry" ? end.outcome.askedFrom : undefined) ?? null,
    holding.row,
    end.holder,
  );
  return counter;
}

function placeOf(
  outcome: Undone,
  nowMs: number,
): { readonly counter: "waiting" | "delayed" | "dead"; readonly at: number; readonly error: string } {
  if (outcome.kind === "dead") return { counter: "dead", at: nowMs, error: outcome.reason };
  // It stands among the others as of when it falls due, and never before its time.
  if (outcome.at > nowMs) return { counter: "delayed", at: Math.ceil(outcome.at), error: outcome.error };
  return { counter: "waiting", at: nowMs, error: outcome.error };
}

/** An attempt that was never started is not charged. */
const chargedAttempts = ({ attempt, started }: Holding): number => (started ? attempt : attempt - 1);
