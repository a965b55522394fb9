import { MemqError } from "../errors.ts";
import type { Notes } from "../ports/notes.ts";
import { decodeMemory, encodeMemory, type Memory } from "./memory.ts";

/** What was remembered, and what a change of it is based on. */
export interface Remembered {
  /** Undefined: nothing is. */
  readonly memory?: Memory;
  readonly version?: string;
}

// Everybody who is faster has done what was to be done; more tries than this are a fight.
const MAX_TRIES = 8;

/** The memory of one schedule, in its queue's broker. */
export class Notebook {
  readonly #notes: Notes;
  readonly #schedule: string;

  constructor(notes: Notes, schedule: string) {
    this.#notes = notes;
    this.#schedule = schedule;
  }

  /** @throws MemqError STORE_FOREIGN when a newer memq wrote it. */
  async read(): Promise<Remembered> {
    const note = await this.#notes.read(this.#name);
    if (note === undefined) return {};
    const { version } = note;
    const told = decodeMemory(note.value);
    switch (told.kind) {
      case "memory":
        return { memory: told.memory, version };
      case "none":
        return { version };
      case "newer":
        throw new MemqError(
          "STORE_FOREIGN",
          `what is remembered of schedule "${this.#schedule}" is of a newer memq`,
        );
    }
  }

  /** False: somebody changed it since it was read. */
  write(memory: Memory, { version }: Remembered): Promise<boolean> {
    return this.#notes.write(this.#name, encodeMemory(memory), version);
  }

  /**
   * Changes what is remembered, however many others do at the same time; `decide` may be asked several times, and
   * answers undefined when there is nothing (more) to change. @throws MemqError BUSY
   */
  async change(decide: (memory: Memory | undefined) => Memory | undefined): Promise<void> {
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      const remembered = await this.read();
      const next = decide(remembered.memory);
      if (next === undefined || (await this.write(next, remembered))) return;
    }
    throw new MemqError(
      "BUSY",
      `what is remembered of schedule "${this.#schedule}" was changed all the time`,
    );
  }

  get #name(): string {
    return `schedule:${this.#schedule}`;
  }
}
