import type { TaskState } from "../../task/task.ts";
import type { Control, TaskStake } from "./control.ts";
import { parseEntry } from "./entries.ts";
import type { StoredRecord } from "./record.ts";

/** Where a record is, for people. */
export interface Place {
  readonly state: TaskState;
  /** The stake that a running one is in. */
  readonly stake?: TaskStake;
}

/** Which stakes name a record. */
export class Stakes {
  readonly #tasks = new Map<string, TaskStake>();
  readonly #putBack = new Set<string>();

  constructor(control: Control) {
    for (const stake of control.stakes) {
      if (stake.kind === "tasks" && stake.owner !== "") {
        for (const text of stake.entries) this.#tasks.set(parseEntry(text)?.name ?? "", stake);
      }
      if (stake.kind === "putBack") for (const name of stake.entries) this.#putBack.add(name);
    }
  }

  /** Undefined for a record that was cancelled. `now`: second of the server's time. */
  placeOf(name: string, stored: StoredRecord, now: number): Place | undefined {
    if (stored.state === "cancelled") return undefined;
    if (stored.state === "dead") return { state: this.#putBack.has(name) ? "waiting" : "dead" };
    const stake = this.#tasks.get(name);
    if (stake !== undefined && isHeld(stored, stake, now)) return { state: "running", stake };
    return { state: stored.due > now ? "delayed" : "waiting" };
  }
}

// An attempt that failed may have been written down and its stake still stand: then it is nobody's.
function isHeld(stored: StoredRecord, stake: TaskStake, now: number): boolean {
  if (stored.due > now) return false;
  return stored.run !== undefined || !stored.writer.startsWith(`${stake.id}.`);
}
