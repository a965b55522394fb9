import { readdirSync, statSync, unlinkSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { createGroupFile, makeGroupFolder } from "./group-file.ts";

/** A process in the folder, and its ticket. */
export interface Entry {
  /** Of its file. */
  readonly name: string;
  readonly pid: number;
  /** Tells the process from a later one with its pid. */
  readonly startedAt: string;
  readonly ticket: number;
}

/** A process that is about to draw a ticket. */
export type Choosing = Omit<Entry, "ticket">;

// <pid>.<start time>.<number>[.<ticket>].<kind>; the start time is empty where the system does not tell it.
const NAME = /^(\d{1,10})\.(\d*)\.[0-9a-f]+(?:\.(\d{1,15}))?\.(?:choosing|run)$/;

/**
 * Runs as empty files of a folder: their names say who, and their times since when. All the processes that
 * use it must see each other's pids.
 */
export class SlotFolder {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  prepare(): void {
    makeGroupFolder(this.#path);
  }

  beginChoosing(id: string): void {
    createGroupFile(join(this.#path, `${id}.choosing`));
  }

  endChoosing(id: string): void {
    this.#remove(`${id}.choosing`);
  }

  post(id: string, ticket: number): Entry {
    const name = `${id}.${String(ticket)}.run`;
    createGroupFile(join(this.#path, name));
    const [pid = "", startedAt = ""] = id.split(".");
    return { name, pid: Number(pid), startedAt, ticket };
  }

  leave({ name }: Choosing): void {
    this.#remove(name);
  }

  choosing(): readonly Choosing[] {
    return this.#read().filter(({ name }) => name.endsWith(".choosing"));
  }

  tickets(): readonly Entry[] {
    return this.#read().filter(({ name }) => name.endsWith(".run"));
  }

  /** When the entry was made, in ms since 1970; undefined when it is gone. */
  sinceMs({ name }: Choosing): number | undefined {
    return statSync(join(this.#path, name), { throwIfNoEntry: false })?.mtimeMs;
  }

  /**
   * Notes until when, in ms since the machine was started, its process may be silent. Kept as the time of last access:
   * nobody reads an empty file, and who makes one has that of the calendar, which never comes.
   */
  mayBeSilent({ name }: Choosing, untilUpMs: number): void {
    const path = join(this.#path, name);
    utimesSync(path, untilUpMs / 1_000, statSync(path).mtimeMs / 1_000);
  }

  /** What was noted last; undefined when the entry is gone. */
  silentUntilUpMs({ name }: Choosing): number | undefined {
    return statSync(join(this.#path, name), { throwIfNoEntry: false })?.atimeMs;
  }

  #read(): readonly Entry[] {
    return this.#names().flatMap((name) => {
      const [, pid, startedAt, ticket] = NAME.exec(name) ?? [];
      if (pid === undefined || startedAt === undefined) return [];
      return [{ name, pid: Number(pid), startedAt, ticket: Number(ticket ?? 0) }];
    });
  }

  #names(): readonly string[] {
    try {
      return readdirSync(this.#path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return []; // nobody ever ran here
      throw error;
    }
  }

  #remove(name: string): void {
    try {
      unlinkSync(join(this.#path, name));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error; // else another run swept it
    }
  }
}
