import { createHash } from "node:crypto";
import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createGroupFile, makeGroupFolder } from "./group-file.ts";

/** How a worker's process ended. */
export interface Obituary {
  /** `SIGSEGV`, `exit 3`. */
  readonly how: string;
  /** The last lines it wrote on stderr; "" when there were none. */
  readonly stderr: string;
}

/** A task that was running when its process ended. */
export interface RiskyTask {
  readonly queue: string;
  readonly id: string;
}

// Of a file. Any change of meaning: add 1, and keep reading the old one.
const VERSION = 1;
const MOST_STDERR = 2_000;
const MOST_FILES = 200;
// Whoever puts a dead letter back after a season begins anew.
const MOST_AGE_MS = 90 * 86_400_000;

/**
 * What is known of the deaths of workers, kept for the tasks that may have caused them: a file each in the store's
 * folder, small, few, and not for ever.
 */
export class Obituaries {
  readonly #folder: string;

  constructor(storePath: string) {
    this.#folder = join(storePath, "workers", "obituaries");
  }

  write(task: RiskyTask, { how, stderr }: Obituary): void {
    if (!makeGroupFolder(this.#folder)) this.#sweep();
    const path = this.#path(task);
    rmSync(path, { force: true }); // of an earlier death; made anew, so that it is of this user
    createGroupFile(path);
    writeFileSync(path, JSON.stringify({ v: VERSION, how, stderr: stderr.slice(-MOST_STDERR) }));
  }

  /** Undefined: its process did not die as a worker, or it is too long ago. */
  read(task: RiskyTask): Obituary | undefined {
    try {
      const { v, how, stderr } = JSON.parse(readFileSync(this.#path(task), "utf8")) as Partial<
        Obituary & { v: number }
      >;
      return v === VERSION && typeof how === "string" && typeof stderr === "string"
        ? { how, stderr }
        : undefined;
    } catch {
      return undefined; // there is none, or it is just being written
    }
  }

  #path({ queue, id }: RiskyTask): string {
    const name = createHash("sha256")
      .update(JSON.stringify([queue, id]))
      .digest("hex");
    return join(this.#folder, name.slice(0, 32));
  }

  /** The oldest go first. */
  #sweep(): void {
    const files = readdirSync(this.#folder).flatMap((name) => {
      const path = join(this.#folder, name);
      const status = statSync(path, { throwIfNoEntry: false });
      return status === undefined ? [] : [{ path, at: status.mtimeMs }];
    });
    const latest = files.toSorted((a, b) => b.at - a.at);
    const old = latest.filter(({ at }, nth) => nth >= MOST_FILES - 1 || at < Date.now() - MOST_AGE_MS);
    for (const { path } of old) rmSync(path, { force: true });
  }
}
