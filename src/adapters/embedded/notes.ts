import { assertNote } from "../../ports/notes.ts";
import type { Note, Notes } from "../../ports/notes.ts";
import type { StoredQueue } from "./stored-queue.ts";

interface NoteRow {
  readonly version: number;
  readonly value: string;
}

/** The notes of a queue, in the table `note`. */
export class EmbeddedNotes implements Notes {
  readonly #open: () => Promise<StoredQueue>;

  constructor(open: () => Promise<StoredQueue>) {
    this.#open = open;
  }

  async read(name: string): Promise<Note | undefined> {
    const queue = await this.#open();
    const row = await queue.connection.read(() => noteRow(queue, name));
    return row && { value: row.value, version: String(row.version) };
  }

  async write(name: string, value: string, expected: string | undefined): Promise<boolean> {
    assertNote(name, value);
    const queue = await this.#open();
    // A schedule's tick that a power cut made undone would be fired twice.
    return queue.connection.write("synced", () => {
      const version = noteRow(queue, name)?.version;
      if (version?.toString() !== expected) return false;
      queue.connection.run(
        `INSERT INTO note(queue, name, version, value) VALUES (?, ?, 1, ?)
         ON CONFLICT(queue, name) DO UPDATE SET version = version + 1, value = excluded.value`,
        queue.number(),
        name,
        value,
      );
      return true;
    });
  }
}

const noteRow = (queue: StoredQueue, name: string): NoteRow | undefined =>
  queue.connection.get(
    "SELECT version, value FROM note WHERE queue = ? AND name = ?",
    queue.row()?.id ?? 0,
    name,
  ) as NoteRow | undefined;
