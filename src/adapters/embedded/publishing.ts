import { describeError, MemqError } from "../../errors.ts";
import type { Published } from "../../ports/broker.ts";
import type { Codec } from "../../task/codec.ts";
import type { Draft, TaskState } from "../../task/task.ts";
import { countRemoved } from "./bulk-removals.ts";
import { STATE } from "./schema.ts";
import { counterOf } from "./selection.ts";
import type { StoredQueue } from "./stored-queue.ts";
import { storedKey } from "./stored-text.ts";

type Refused = Extract<Published, { kind: "refused" }>;

/** A draft with the text to keep; encoded before the store is locked. */
export interface Encoded {
  readonly draft: Draft;
  readonly body: string;
}

/** A task with a key, as it is going to be kept. */
interface KeyedTask extends Place {
  readonly row: number;
  readonly key: string;
  readonly text: string;
}

interface Place {
  readonly state: number;
  readonly at: number;
}

/** New tasks without a key that differ in nothing but number and text. */
interface Run extends Place {
  readonly firstRow: number;
  readonly texts: string[];
  chars: number;
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
  readonly #keyed = new Map<number, KeyedTask>();
  readonly #rowOfKey = new Map<string, number>();
  readonly #bulk: number | null;
  readonly #added = { waiting: 0, delayed: 0 };
  #run: Run | undefined;
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
    this.#insertRun();
    for (const task of this.#keyed.values()) this.#insertKeyed(task);
    connection.run(
      "UPDATE queue SET last_task = ?, waiting = waiting + ?, delayed = delayed + ? WHERE name = ?",
      this.#lastRow,
      this.#added.waiting,
      this.#added.delayed,
      name,
    );
  }

  #add(draft: Draft, key: string | undefined, body: string): string {
    const row = ++this.#lastRow;
    const id = this.#queue.ids.format(row);
    const later = draft.dueAt !== undefined && draft.dueAt > this.#nowMs;
    const state = later ? STATE.delayed : STATE.waiting;
    const at = later ? Math.ceil(draft.dueAt) : this.#nowMs;
    const text = this.#queue.codec.seal(id, body);
    this.#added[later ? "delayed" : "waiting"]++;
    if (key === undefined) {
      this.#addToRun(row, { state, at }, text);
    } else {
      this.#keyed.set(row, { row, state, at, key, text });
      this.#rowOfKey.set(key, row);
    }
    return id;
  }

  #unfinished(key: string): { readonly row: number; readonly state: TaskState } | undefined {
    const sibling = this.#keyed.get(this.#rowOfKey.get(key) ?? 0);
    if (sibling !== undefined) {
      return { row: sibling.row, state: sibling.state === STATE.delayed ? "delayed" : "waiting" };
    }
    const kept = unfinishedWithKey(this.#queue, this.#number, key);
    if (kept === undefined) return undefined;
    return { row: kept.id, state: unfinishedState(kept, this.#nowMs) };
  }

  /** A task that another takes the place of, be it of this very batch. */
  #remove(row: number): void {
    const sibling = this.#keyed.get(row);
    if (sibling !== undefined) {
      this.#keyed.delete(row);
      this.#added[counterOf(sibling.state)]--;
      return;
    }
    const gone = this.#queue.connection.get("DELETE FROM task WHERE id = ? RETURNING state, bulk", row);
    const { state, bulk } = gone as { state: number; bulk: number | null };
    countRemoved(this.#queue, [bulk]);
    this.#queue.count(state === STATE.delayed ? { delayed: -1 } : { waiting: -1 });
  }

  #addToRun(row: number, { state, at }: Place, text: string): void {
    let run = this.#run;
    if (run === undefined || !isPartOf(run, row, { state, at })) {
      this.#insertRun();
      run = this.#run = { firstRow: row, state, at, texts: [], chars: 0 };
    }
    run.texts.push(text);
    run.chars += text.length;
  }

  #insertRun(): void {
    if (this.#run === undefined) return;
    const { firstRow, state, at, texts } = this.#run;
    const { connection } = this.#queue;
    const values = JSON.stringify(texts);
    connection.run(INSERT_RUN, firstRow, this.#number, state, at, this.#nowMs, this.#bulk, values);
    this.#run = undefined;
  }

  #insertKeyed({ row, state, at, key, text }: KeyedTask): void {
    const { connection } = this.#queue;
    connection.run(INSERT_KEYED, row, this.#number, state, at, this.#nowMs, this.#bulk, key, text);
  }
}

/** Whether a task can go into a run that ends before it. */
const isPartOf = (run: Run, row: number, { state, at }: Place): boolean =>
  row === run.firstRow + run.texts.length &&
  run.texts.length < MAX_RUN &&
  run.chars < MAX_RUN_CHARS &&
  run.state === state &&
  run.at === at;

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
