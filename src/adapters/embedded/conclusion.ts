import type { Draft } from "../../task/task.ts";
import { takeIn } from "./publishing.ts";
import { STATE } from "./schema.ts";
import type { StoredQueue } from "./stored-queue.ts";

interface OverRow {
  readonly id: number;
  readonly then_body: string;
}

// What else a draft says is in its body, or is not said of what follows a bulk.
const BARE: Draft = { method: "", args: [] };

/** Publishes what follows the bulks that are over, each in the transaction that notes so; answers how many. */
export async function conclude(queue: StoredQueue): Promise<number> {
  const { connection } = queue;
  // Most queues have none: to begin with a write would keep everybody else waiting for nothing.
  if ((await connection.read(() => over(queue))).length === 0) return 0;
  return connection.write("synced", () => {
    const rows = over(queue);
    takeIn(
      queue,
      rows.map((row) => ({ draft: BARE, body: row.then_body })),
    );
    for (const { id } of rows) connection.run("UPDATE bulk SET concluded = 1 WHERE id = ?", id);
    return rows.length;
  });
}

/** Those that something follows, whose input is at its end and of whose tasks none is left to run. */
const over = (queue: StoredQueue): readonly OverRow[] =>
  queue.connection.all(
    `SELECT id, then_body FROM bulk
     WHERE queue = ? AND then_body IS NOT NULL AND concluded = 0 AND ended = 1
       AND NOT EXISTS (SELECT 1 FROM task WHERE task.bulk = bulk.id AND task.state <> ${String(STATE.dead)})`,
    queue.row()?.id ?? 0,
  ) as readonly OverRow[];
