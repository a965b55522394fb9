import { bulkTaken } from "../../ports/bulks.ts";
import type { BulkCount, BulkKept, Bulks, BulkState, BulkStep } from "../../ports/bulks.ts";
import type { Draft } from "../../task/task.ts";
import type { Bell } from "../../host/bell.ts";
import { conclude } from "./conclusion.ts";
import { encode, takeIn, type Ready } from "./publishing.ts";
import { STATE } from "./schema.ts";
import type { StoredQueue } from "./stored-queue.ts";

interface BulkRow {
  readonly id: number;
  readonly version: number;
  readonly place: string;
  readonly kept: number;
  readonly removed: number;
}

// Long enough for whoever asks on Monday what became of Friday's bulk, and then some.
const REMEMBERED_MS = 30 * 24 * 3_600_000;

/** What they work with once the store is open. */
interface OpenQueue {
  readonly queue: StoredQueue;
  readonly bell: Bell;
}

/** The bulks of a queue: a row each in the table `bulk`, whose number stands in the rows of their tasks. */
export class EmbeddedBulks implements Bulks {
  readonly #open: () => Promise<OpenQueue>;

  constructor(open: () => Promise<OpenQueue>) {
    this.#open = open;
  }

  async resume(name: string): Promise<BulkState | undefined> {
    const { queue } = await this.#open();
    const row = await queue.connection.read(() => bulkRow(queue, name));
    return row && { place: row.place, version: String(row.version), kept: row.kept };
  }

  async publish(drafts: readonly Draft[], step: BulkStep): Promise<BulkKept> {
    const { queue, bell } = await this.#open();
    const ready = drafts.map((draft) => encode(queue.codec, draft));
    const then = step.then === undefined ? null : queue.codec.encode(step.then);
    const kept = await queue.connection.write("synced", () =>
      take(queue, ready, { ...step, thenBody: then }),
    );
    if (kept.answers.some(({ kind }) => kind === "kept")) bell.ring();
    return kept;
  }

  async conclude(): Promise<number> {
    const { queue, bell } = await this.#open();
    const count = await conclude(queue);
    if (count > 0) bell.ring();
    return count;
  }

  async count(name: string): Promise<BulkCount | undefined> {
    const { queue } = await this.#open();
    return queue.connection.read(() => countOf(queue, name));
  }
}

function bulkRow(queue: StoredQueue, name: string): BulkRow | undefined {
  return queue.connection.get(
    "SELECT id, version, place, kept, removed FROM bulk WHERE queue = ? AND name = ?",
    queue.row()?.id ?? 0,
    name,
  ) as BulkRow | undefined;
}

interface EncodedStep extends BulkStep {
  readonly thenBody: string | null;
}

function take(queue: StoredQueue, ready: readonly Ready[], step: EncodedStep): BulkKept {
  const { id, version } = rowToMove(queue, step);
  const answers = takeIn(queue, ready, id);
  const kept = answers.filter(({ kind }) => kind === "kept").length;
  queue.connection.run(
    `UPDATE bulk SET version = ?, place = ?, kept = kept + ?, changed_at = ?, ended = ?, concluded = ? AND concluded,
       then_body = coalesce(?, then_body)
     WHERE id = ?`,
    version + 1,
    step.place(answers),
    kept,
    queue.clock.now(),
    step.isLast === true ? 1 : 0,
    kept === 0 ? 1 : 0,
    step.thenBody,
    id,
  );
  return { answers, version: String(version + 1) };
}

/** The row of a bulk that is as expected; a new one for one that begins. */
function rowToMove(queue: StoredQueue, { name, expected }: BulkStep): Pick<BulkRow, "id" | "version"> {
  const row = bulkRow(queue, name);
  if (row?.version.toString() !== expected) throw bulkTaken(name);
  if (row !== undefined) return row;
  forgetOld(queue);
  return queue.connection.get(
    `INSERT INTO bulk(queue, name, version, place, kept, removed, changed_at) VALUES (?, ?, 0, '', 0, 0, ?)
     RETURNING id, version`,
    queue.number(),
    name,
    queue.clock.now(),
  ) as BulkRow;
}

function forgetOld({ connection, clock }: StoredQueue): void {
  connection.run(
    `DELETE FROM bulk WHERE changed_at < ? AND (then_body IS NULL OR concluded = 1 OR ended = 0)
       AND NOT EXISTS (SELECT 1 FROM task WHERE task.bulk = bulk.id)`,
    clock.now() - REMEMBERED_MS,
  );
}

function countOf(queue: StoredQueue, name: string): BulkCount | undefined {
  const row = bulkRow(queue, name);
  if (row === undefined) return undefined;
  const { place, kept, removed } = row;
  const there = countRows(queue, "SELECT count(*) AS count FROM task WHERE bulk = ?", row.id);
  // Of the dead letters there are few; of the bulk's tasks there may be a million.
  const dead = countRows(
    queue,
    `SELECT count(*) AS count FROM task INDEXED BY task_dead
     WHERE bulk = ? AND state = ${String(STATE.dead)} AND queue = ?`,
    row.id,
    queue.row()?.id ?? 0,
  );
  return { place, kept, removed, dead, left: there - dead, done: kept - removed - there };
}

const countRows = ({ connection }: StoredQueue, sql: string, ...values: number[]): number =>
  (connection.get(sql, ...values) as { count: number }).count;
