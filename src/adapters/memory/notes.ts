import { assertNote } from "../../ports/notes.ts";
import type { Note, Notes } from "../../ports/notes.ts";

/** The notes of a queue in memory. Nothing waits in between, so every step is atomic. */
export class MemoryNotes implements Notes {
  readonly #notes = new Map<string, Note>();
  #writes = 0;

  read(name: string): Promise<Note | undefined> {
    return Promise.resolve(this.#notes.get(name));
  }

  write(name: string, value: string, expected: string | undefined): Promise<boolean> {
    return new Promise((resolve) => {
      assertNote(name, value);
      const isAsRead = this.#notes.get(name)?.version === expected;
      if (isAsRead) this.#notes.set(name, { value, version: String((this.#writes += 1)) });
      resolve(isAsRead);
    });
  }
}
