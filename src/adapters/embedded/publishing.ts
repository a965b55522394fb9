import { describeError, MemqError } from "../../errors.ts";
import type { Published } from "../../ports/broker.ts";
import type { Codec } from "../../task/codec.ts";
import type { Draft, TaskState } from "../../task/task.ts";
import { countRemoved } from "./bulk-removals.ts";
import { STATE } from "./schema.ts";
import type { StoredQueue } from "./stored-queue.ts";
import { storedKey } from "./stored-text.ts";

type Refused = Extract<Published, { kind: "refused" }>;

/** A draft with the text to keep; encoded before the store is locked. */
export interface Encoded {
  readonly draft: Draft;
  readonly body: string;
}

/** A task as it is going to be kept. */
interface NewTask {
  readonly row: number;
  readonly state: number;
  readonly at: number;
  readonly key: string | undefined;
  readonly text: string;
}

/** The draft with its text, or why there is none. */
export type Ready = Encoded | Refused;

// A run of tasks goes in with one statement, which reads them from one text; more per text gains nothing.
const MAX_RUN = 500;
const MAX_RUN_CHARS = 1_000_000;

const INSERT_RUN = `INSERT INTO task(id, queue, state, at, born, bulk, body)
  SELECT ? + key, ?, ?, ?, ?, ?, value FROM json_each(?)`;
const INSERT_KEYED =
  "INSERT INTO task(id, queue, state, at, born, bulk, key, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?)";

/** Keeps each draft, in one synced transaction. Answers item by item. */
export async function publish(queue: StoredQueue, drafts: readonly Draft[]): Promise<readonly Published[]> {
  const encoded = drafts.map((draft) => encode(queue.codec, draft));
  if (!encoded.some((item) => "body" in item)) return encoded as Refused[];
  return queue.connection.write("synced", () => takeIn(queue, encoded));
}

/** Drafts for one queue of a store, in their order. */
export interface Order {
  readonly queue: StoredQueue;
  readonly drafts: readonly Draft[];
}

/** Keeps the drafts of several queues in one synced transaction: all or none. Answers item by item. */
export async function publishTogether(orders: readonly Order[]): Promise<readonly (readonly Published[])[]> {
  const encoded = orders.map(({ queue, drafts }) => drafts.map((draft) => encode(queue.codec, draft)));
  const connection = orders[0]?.queue.connection;
  if (connection === undefined) return [];
  return connection.write("synced", () => orders.map(({ queue }, at) => takeIn(queue, encoded[at] ?? [])));
}

/** Keeps encoded drafts, as part of a bulk or of none; inside a transaction. */
export function takeIn(queue: StoredQueue, ready: readonly Ready[], bulk?: number): readonly Published[] {
  const intake = new Intake(queue, bulk);
  const answers = ready.map((item) => ("body" in item ? intake.take(item) : item));
  intake.finish();
  return answers;
}

/** To be done before the store is locked. */
export function encode(codec: Codec, draft: Draft): Ready {
  try {
    return { draft, body: codec.encode(draft) };
  } catch (error) {
    if (!(error instanceof MemqError)) throw error;
    return { kind: "refused", code: error.code, reason: describeError(error) };
  }
}

/** One transaction's new tasks. */
class Intake {
  readonly #queue: StoredQueue;
  readonly #number: number;
  readonly #nowMs: number;
  readonly #tasks = new Map<number, NewTask>();
  readonly #rowOfKey = new Map<string, number>();
  readonly #bulk: number | null;
  #lastRow: number;

  constructor(queue: StoredQueue, bulk: number | undefined) {
    this.#queue = queue;
    this.#bulk = bulk ?? null;
    this.#number = queue.number();
    this.#nowMs = queue.clock.now();
    // Rows are numbered across queues, and a number is not used again when its task is gone.
    const { last } = queue.connection.get("SELECT max(last_task) AS last FROM queue") as { last: number };
    this.#lastRow = last;
  }

  take({ draft, body }: Encoded): Published {
    const key = draft.key === undefined ? undefined : storedKey(draft.key);
    const existing = key === undefined ? undefined : this.#unfinished(key);
    if (existing === undefined) return { kind: "kept", id: this.#add(draft, key, body) };
    if (draft.onDuplicate !== "replace" || existing.state === "running") {
      return { kind: "duplicate", of: this.#queue.ids.format(existing.row), state: existing.state };
    }
    this.#remove(existing.row);
    return {
      kind: "kept",
      id: this.#add(draft, key, body),
      replaced: this.#queue.ids.format(existing.row),
    };
  }

  finish(): void {
    const { connection, name } = this.#queue;
    this.#insert(this.#tasks.values());
    let delayed = 0;
    for (const { state } of this.#tasks.values()) if (state === STATE.delayed) delayed++;
    connection.run(
      "UPDATE queue SET last_task = ?, waiting = waiting + ?, delayed = delayed + ? WHERE name = ?",
      this.#lastRow,
      this.#tasks.size - delayed,
      delayed,
      name,
    );
  }

  #add(draft: Draft, key: string | undefined, body: string): string {
    const row = ++this.#lastRow;
    const id = this.#queue.ids.format(row);
    const later = draft.dueAt !== undefined && draft.dueAt > this.#nowMs;
    this.#tasks.set(row, {
      row,
      state: later ? STATE.delayed : STATE.waiting,
      at: later ? Math.ceil(draft.dueAt) : this.#nowMs,
      key,
      text: this.#queue.codec.seal(id, body),
    });
    if (key !== undefined) this.#rowOfKey.set(key, row);
    return id;
  }

  #unfinished(key: string): { readonly row: number; readonly state: TaskState } | undefined {
    const sibling = this.#tasks.get(this.#rowOfKey.get(key) ?? 0);
    if (sibling !== undefined) {
      return { row: sibling.row, state: sibling.state === STATE.delayed ? "delayed" : "waiting" };
    }
    const kept = unfinishedWithKey(this.#queue, this.#number, key);
    if (kept === undefined) return undefined;
    return { row: kept.id, state: unfinishedState(kept, this.#nowMs) };
  }

  /** A task that another takes the place of, be it of this very batch. */
  #remove(row: number): void {
    if (this.#tasks.delete(row)) return;
    const gone = this.#queue.connection.get("DELETE FROM task WHERE id = ? RETURNING state, bulk", row);
    const { state, bulk } = gone as { state: number; bulk: number | null };
    countRemoved(this.#queue, [bulk]);
    this.#queue.count(state === STATE.delayed ? { delayed: -1 } : { waiting: -1 });
  }

  /** Neighbours that differ in nothing but number and text go in together. */
  #insert(tasks: Iterable<NewTask>): void {
    let run: NewTask[] = [];
    let chars = 0;
    for (const task of tasks) {
      if (run.length === MAX_RUN || chars >= MAX_RUN_CHARS || !follows(run.at(-1), task)) {
        this.#insertRun(run);
        run = [];
        chars = 0;
      }
      run.push(task);
      chars += task.text.length;
    }
    this.#insertRun(run);
  }

  #insertRun(run: readonly NewTask[]): void {
    const [first] = run;
    if (first === undefined) return;
    const { row, state, at, key } = first;
    const { connection } = this.#queue;
    if (key !== undefined) {
      connection.run(INSERT_KEYED, row, this.#number, state, at, this.#nowMs, this.#bulk, key, first.text);
      return;
    }
    const texts = JSON.stringify(run.map(({ text }) => text));
    connection.run(INSERT_RUN, row, this.#number, state, at, this.#nowMs, this.#bulk, texts);
  }
}

const follows = (last: NewTask | undefined, task: NewTask): boolean =>
  last?.row === task.row - 1 &&
  last.state === task.state &&
  last.at === task.at &&
  last.key === undefined &&
  task.key === undefined;

/** The one unfinished task of a queue with that key, as stored. */
export function unfinishedWithKey(
  { connection }: StoredQueue,
  queue: number,
  key: string,
): { readonly id: number; readonly state: number; readonly at: number } | undefined {
  return connection.get(
    "SELECT id, state, at FROM task WHERE queue = ? AND key = ? AND state < ?",
    queue,
    key,
    STATE.dead,
  ) as { id: number; state: number; at: number } | undefined;
}

/** A delayed task that has fallen due is waiting, whatever is stored. */
function unfinishedState(task: { readonly state: number; readonly at: number }, nowMs: number): TaskState {
  if (task.state === STATE.running) return "running";
  return task.state === STATE.delayed && task.at > nowMs ? "delayed" : "waiting";
}
