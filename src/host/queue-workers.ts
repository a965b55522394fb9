import { join } from "node:path";
import { makeGroupFolder } from "./group-file.ts";
import { nameOf, thisProcess } from "./process-identity.ts";
import type { QueueOnHost } from "./queue-on-host.ts";
import { realmName, sweepOldRealms } from "./realm.ts";
import { postSlot, slotHolders, type RunSlot, type SlotHolder } from "./run-slots.ts";
import { SlotFolder } from "./slot-folder.ts";
import { endStuck, isStuck, type StuckRun } from "./stuck-run.ts";

interface EndStuck {
  readonly onStuck?: (pid: number) => void;
  readonly afterMs?: number;
}

/** The workers of one queue on this host: any number, each a process that lives as long as it stands here. */
export class QueueWorkers {
  readonly #folder: string;
  readonly #path: string;

  constructor({ storePath, queue }: QueueOnHost) {
    this.#folder = join(storePath, "workers");
    this.#path = join(this.#folder, `${queue}@${realmName()}`);
  }

  /** This process is one of them until it releases its place, or is gone. */
  join(): RunSlot {
    if (makeGroupFolder(this.#path)) sweepOldRealms(this.#folder);
    return postSlot(this.#path);
  }

  /** Those that live. */
  living(): readonly SlotHolder[] {
    return slotHolders(this.#path);
  }

  /** Those of them that a handler blocks for longer than they said. */
  stuck(): readonly SlotHolder[] {
    const folder = new SlotFolder(this.#path);
    const names = folder
      .tickets()
      .filter(isStuck(folder))
      .map(({ pid }) => nameOf({ ...thisProcess(), pid }));
    return this.living().filter(({ name }) => names.includes(name));
  }

  /**
   * Ends those that a handler blocks for longer than they said: nothing within their process can. `onStuck`: told the
   * number of the process before. `afterMs`: only those that have been so for longer.
   */
  async endStuck({ onStuck, afterMs = 0 }: EndStuck = {}): Promise<readonly StuckRun[]> {
    const folder = new SlotFolder(this.#path);
    const ended: StuckRun[] = [];
    for (const entry of folder.tickets().filter(isStuck(folder, afterMs))) {
      onStuck?.(entry.pid);
      ended.push(await endStuck(folder, entry));
    }
    return ended;
  }
}
