import { closeSync, constants, openSync, watch, writeSync, type FSWatcher } from "node:fs";
import { dirname, join } from "node:path";
import { createGroupFile, makeGroupFolder } from "./group-file.ts";

/** The bell of those who wait for tasks of that store folder to end. */
export const resultBellIn = (folder: string): string => join(folder, "result-bell");

/**
 * A file in the store's folder that is written to when something has happened that others wait for, so that those
 * who wait in other processes of this host wake up at once. Nothing depends on it: who hears nothing looks again
 * before long.
 */
export class Bell {
  readonly #path: string;
  #descriptor: number | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  /** Makes the file where it is not there: for a bell that is rung only where somebody listens. */
  hang(): void {
    try {
      makeGroupFolder(dirname(this.#path));
      createGroupFile(this.#path);
    } catch {
      // there already, or not ours to make: who listens looks by itself from time to time
    }
  }

  ring(): void {
    try {
      // No link is followed: root rings here too, in a folder that may be another user's.
      this.#descriptor ??= openSync(this.#path, constants.O_WRONLY | constants.O_NOFOLLOW);
      writeSync(this.#descriptor, "!", 0);
    } catch {
      // nobody has ever listened, it is not ours, or there is no room: those who wait look by themselves
    }
  }

  /** Calls `heard` at every ring until the answer is called. */
  listen(heard: () => void): () => void {
    let watcher: FSWatcher | undefined;
    try {
      watcher = watch(this.#path, heard);
      watcher.on("error", () => watcher?.close());
    } catch {
      // the system has no watch to spare, or there is no bell: the caller looks by itself from time to time
    }
    return () => watcher?.close();
  }

  close(): void {
    if (this.#descriptor !== undefined) closeSync(this.#descriptor);
    this.#descriptor = undefined;
  }
}
