import { lookOut } from "../../host/lookout.ts";
import type { Claim } from "../../ports/broker.ts";
import { sealName } from "../../ports/results.ts";
import type { Keep, Results, TaskEnd } from "../../ports/results.ts";
import { decodeResult } from "../../task/result.ts";
import type { Progress, TaskResult } from "../../task/result.ts";
import type { Bell } from "../../host/bell.ts";
import type { Holding, Owner } from "./owner.ts";
import { STATE } from "./schema.ts";
import type { StoredQueue } from "./stored-queue.ts";

/** What they work with once the store is open. */
interface OpenQueue {
  readonly queue: StoredQueue;
  readonly owner: Owner;
  readonly resultBell: Bell;
}

/** What the store has of a task that does not wait or run: itself, or its result, or neither. */
interface EndRow {
  /** Which one of those that were asked for. */
  readonly nth: number;
  readonly state: number | null;
  readonly at: number | null;
  readonly attempts: number | null;
  readonly error: string | null;
  readonly result: string | null;
}

interface ProgressRow {
  readonly task: number;
  readonly done: number;
  readonly total: number | null;
  readonly at: number;
}

// A bell rings for every task of the store that ends; who hears none looks this often.
const FASTEST_LOOK_MS = 50;
const SLOWEST_LOOK_MS = 500;

// Of results whose time is over, with every transaction that keeps some: more than come in.
const SWEEP_ROWS = 1_000;
const FORGET_PROGRESS_MS = 86_400_000;

const ENDS = `SELECT asked.key AS nth, task.state, task.at, task.attempts, task.error, result.text AS result
  FROM json_each(?1) AS asked
  LEFT JOIN task ON task.id = asked.value AND task.queue = ?2
  LEFT JOIN result ON result.task = asked.value AND result.queue = ?2 AND result.expires_at > ?3
  WHERE task.state IS NULL OR task.state = ?4`;

// The claim under which a task runs now: one that is held in a range does not have its number written.
const IN_RANGE = `LEFT JOIN held_range ON task.state = 0 AND held_range.queue = task.queue
  AND task.id BETWEEN held_range.first AND held_range.last`;
const HOLDER = "coalesce(task.holder, held_range.holder)";
const CLAIM = "task.claims + (task.holder IS NULL)";

const PROGRESS = `SELECT progress.task, progress.done, progress.total, progress.at
  FROM json_each(?) AS asked JOIN progress ON progress.task = asked.value
  JOIN task ON task.id = progress.task ${IN_RANGE}
  WHERE task.queue = ? AND ${HOLDER} = progress.holder AND ${CLAIM} = progress.claim`;

const NOTE = `INSERT OR REPLACE INTO progress(task, holder, claim, done, total, at)
  SELECT task.id, ${HOLDER}, ${CLAIM}, ?, ?, ? FROM task ${IN_RANGE}
  WHERE task.id = ? AND ${HOLDER} = ? AND ${CLAIM} = ?`;

/** The results of a queue, in the table `result`; a dead letter is its own. What running tasks say is in `progress`. */
export class EmbeddedResults implements Results {
  readonly #open: () => Promise<OpenQueue>;

  constructor(open: () => Promise<OpenQueue>) {
    this.#open = open;
  }

  async find(id: string): Promise<TaskResult | undefined> {
    const { queue } = await this.#open();
    const [end] = await endsOf(queue, [id]);
    return end?.kind === "gone" ? undefined : end;
  }

  async wait(ids: readonly string[], untilMs: number, signal: AbortSignal): Promise<readonly TaskEnd[]> {
    const { queue, resultBell } = await this.#open();
    resultBell.hang();
    const look = async (): Promise<readonly TaskEnd[] | undefined> => {
      const ends = await endsOf(queue, ids);
      return ends.length > 0 ? ends : undefined;
    };
    const pace = { fastestMs: FASTEST_LOOK_MS, slowestMs: SLOWEST_LOOK_MS };
    return (await lookOut(look, { bell: resultBell, clock: queue.clock, untilMs, signal, ...pace })) ?? [];
  }

  async report(claim: Claim, progress: Progress): Promise<void> {
    const { queue, owner } = await this.#open();
    const holding = owner.holding(claim);
    const { tenure } = owner;
    if (holding === undefined || tenure === undefined) return;
    if (!holding.started) return;
    holding.hasReported = true;
    await queue.connection.write("relaxed", () => {
      note(queue, holding, { holder: tenure.holder, progress });
    });
  }

  async progress(ids: readonly string[]): Promise<ReadonlyMap<string, Progress>> {
    const { queue } = await this.#open();
    const rows = ids.flatMap((id) => queue.ids.parse(id) ?? []);
    if (rows.length === 0) return new Map();
    const found = await queue.connection.read(
      () => queue.connection.all(PROGRESS, JSON.stringify(rows), queue.row()?.id ?? 0) as ProgressRow[],
    );
    return new Map(
      found.map(({ task, done, total, at }) => [
        queue.ids.format(task),
        { done, ...(total !== null && { total }), at },
      ]),
    );
  }
}

/** Those that have ended, all looked at in one state of the store. */
function endsOf(queue: StoredQueue, ids: readonly string[]): Promise<readonly TaskEnd[]> {
  const rows = JSON.stringify(ids.map((id) => queue.ids.parse(id) ?? 0));
  return queue.connection.read(() => {
    const found = queue.connection.all(ENDS, rows, queue.row()?.id ?? 0, queue.clock.now(), STATE.dead);
    return (found as EndRow[]).map((row) => endOf(queue, ids[row.nth] as string, row));
  });
}

function endOf({ codec }: StoredQueue, id: string, row: EndRow): TaskEnd {
  const { state, at, attempts, error, result } = row;
  if (state !== null) return { kind: "dead", id, reason: error ?? "", attempt: attempts ?? 0, at: at ?? 0 };
  const text = codec.unseal(sealName(id), result ?? "");
  return decodeResult(id, text ?? "") ?? { kind: "gone", id };
}

/** A task that is done, and what is to be kept of it. */
export interface Kept {
  readonly row: number;
  readonly keep: Keep;
}

/** Keeps results, and forgets some of those whose time is over; in the transaction in which the tasks end. */
export function keepResults(queue: StoredQueue, kept: readonly Kept[], nowMs: number): void {
  if (kept.length === 0) return;
  const { connection, codec, ids } = queue;
  const number = queue.number();
  sweepResults(queue, nowMs);
  for (const { row, keep } of kept) {
    connection.run(
      "INSERT OR REPLACE INTO result(task, queue, expires_at, text) VALUES (?, ?, ?, ?)",
      row,
      number,
      Math.ceil(nowMs + keep.forMs),
      codec.seal(sealName(ids.format(row)), keep.text),
    );
  }
}

/** Forgets some of what is not to be kept any longer; inside a transaction. */
export function sweepResults({ connection }: StoredQueue, nowMs: number): void {
  connection.run("DELETE FROM progress WHERE at < ?", nowMs - FORGET_PROGRESS_MS);
  connection.run(
    "DELETE FROM result WHERE task IN (SELECT task FROM result WHERE expires_at <= ? LIMIT ?)",
    nowMs,
    SWEEP_ROWS,
  );
}

/** Unless the task is not its holder's any more. */
function note(
  { connection }: StoredQueue,
  { row, claimNumber }: Holding,
  { holder, progress }: { readonly holder: number; readonly progress: Progress },
): void {
  const { done, total = null, at } = progress;
  connection.run(NOTE, done, total, Math.round(at), row, holder, claimNumber);
}

/** What tasks said of themselves that have ended; in the transaction in which they do. */
export function forgetProgress({ connection }: StoredQueue, rows: readonly number[]): void {
  if (rows.length === 0) return;
  connection.run("DELETE FROM progress WHERE task IN (SELECT value FROM json_each(?))", JSON.stringify(rows));
}
