import type { Claim, Settled, Settlement } from "../../ports/broker.ts";
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
  readonly claim: Claim;
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
  const endings = endingsOf(owner, settlements);
  const known = new Set(endings.map(({ claim }) => claim.receipt));
  const recorded = endings.length > 0 && (await record(queue, owner, endings));
  if (recorded) for (const { claim } of endings) owner.drop(claim);
  owner.resume();
  return {
    answers: settlements.map(({ claim }) => (recorded && known.delete(claim.receipt) ? "settled" : "lost")),
    retried: recorded && endings.some(({ outcome }) => outcome.kind === "retry"),
    ended: recorded && endings.some(({ outcome, keep }) => outcome.kind === "dead" || keep !== undefined),
  };
}

/** What this owner still holds; a claim that is settled twice counts once. */
function endingsOf(owner: Owner, settlements: readonly Settlement[]): readonly Ending[] {
  const endings = new Map<string, Ending>();
  for (const { claim, outcome, keep } of settlements) {
    const holding = owner.holding(claim);
    if (holding === undefined || endings.has(claim.receipt)) continue;
    endings.set(claim.receipt, { holding, claim, outcome, keep });
  }
  return [...endings.values()];
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
  const done: number[] = [];
  const back: number[] = [];
  for (const { holding, outcome } of endings) (outcome.kind === "done" ? done : back).push(holding.row);
  if (back.length > 0) leaveRanges(connection, holder, back);
  for (const { holding, outcome } of endings) {
    if (outcome.kind !== "done") change[requeue(queue, holding, { holder, outcome, nowMs })]++;
  }
  remove(connection, holder, done);
  dropEmptyRanges(connection, holder);
  queue.count({ ...change, running: -endings.length });
  keepResults(queue, keptOf(endings), nowMs);
  forgetProgress(queue, saidBy(endings));
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

const keptOf = (endings: readonly Ending[]): readonly Kept[] =>
  endings.flatMap(({ holding, outcome, keep }) =>
    outcome.kind === "done" && keep !== undefined ? [{ row: holding.row, keep }] : [],
  );

const saidBy = (endings: readonly Ending[]): readonly number[] =>
  endings.flatMap(({ holding }) => (holding.hasReported ? [holding.row] : []));

/** Puts a task where its outcome wants it; answers the counter that counts it there. */
function requeue(
  { connection }: StoredQueue,
  holding: Holding,
  end: {
    readonly holder: number;
    readonly outcome: Exclude<Outcome, { kind: "done" }>;
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
  outcome: Exclude<Outcome, { kind: "done" }>,
  nowMs: number,
): { readonly counter: "waiting" | "delayed" | "dead"; readonly at: number; readonly error: string } {
  if (outcome.kind === "dead") return { counter: "dead", at: nowMs, error: outcome.reason };
  // It stands among the others as of when it falls due, and never before its time.
  if (outcome.at > nowMs) return { counter: "delayed", at: Math.ceil(outcome.at), error: outcome.error };
  return { counter: "waiting", at: nowMs, error: outcome.error };
}

/** An attempt that was never started is not charged. */
const chargedAttempts = ({ attempt, started }: Holding): number => (started ? attempt : attempt - 1);
