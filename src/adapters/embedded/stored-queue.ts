import type { Clock } from "../../ports/clock.ts";
import type { Codec } from "../../task/codec.ts";
import type { Connection } from "./connection.ts";
import { taskIds, type TaskIds } from "./task-id.ts";

/** The queue's own row: its counters spare everybody the counting. */
export interface QueueRow {
  readonly id: number;
  readonly paused_until: number | null;
  readonly waiting: number;
  readonly delayed: number;
  readonly running: number;
  readonly dead: number;
}

/** By how much a transaction changes the number of tasks in each stored state. */
export interface Change {
  readonly waiting?: number;
  readonly delayed?: number;
  readonly running?: number;
  readonly dead?: number;
}

/** One queue of a store. Its rows are touched inside a transaction of its connection only. */
export class StoredQueue {
  readonly name: string;
  readonly connection: Connection;
  readonly codec: Codec;
  readonly clock: Clock;
  readonly ids: TaskIds;

  constructor(name: string, connection: Connection, tools: { readonly codec: Codec; readonly clock: Clock }) {
    this.name = name;
    this.connection = connection;
    this.codec = tools.codec;
    this.clock = tools.clock;
    this.ids = taskIds(connection.prefix);
  }

  /** Undefined: nothing was ever done with this queue. */
  row(): QueueRow | undefined {
    return this.connection.get(
      "SELECT id, paused_until, waiting, delayed, running, dead FROM queue WHERE name = ?",
      this.name,
    ) as QueueRow | undefined;
  }

  /** The number of the queue, which gets a row where it has none. */
  number(): number {
    const id = this.row()?.id;
    if (id !== undefined) return id;
    const made = this.connection.get("INSERT INTO queue(name) VALUES (?) RETURNING id", this.name);
    return (made as { id: number }).id;
  }

  /** Keeps the counters true; every change of a task's state comes with one. */
  count({ waiting = 0, delayed = 0, running = 0, dead = 0 }: Change): void {
    this.connection.run(
      `UPDATE queue SET waiting = waiting + ?, delayed = delayed + ?, running = running + ?, dead = dead + ?
       WHERE name = ?`,
      waiting,
      delayed,
      running,
      dead,
      this.name,
    );
  }
}
