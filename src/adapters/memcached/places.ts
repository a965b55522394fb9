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
  readonly #gone = new Map<string, readonly number[]>();

  constructor(control: Control) {
    for (const stake of control.stakes) {
      if (stake.kind === "tasks") this.#note(stake);
      if (stake.kind === "putBack") for (const name of stake.entries) this.#putBack.add(name);
    }
  }

  #note(stake: TaskStake): void {
    for (const { entry, members } of stake.gone ?? []) this.#gone.set(nameAt(stake, entry), members);
    if (stake.owner === "") return;
    for (const place of stake.entries.keys()) this.#tasks.set(nameAt(stake, place), stake);
  }

  /** Whether a member has left its bundle, which the record does not say. */
  isGone(name: string, member: number): boolean {
    return this.#gone.get(name)?.includes(member) === true;
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

const nameAt = ({ entries }: TaskStake, place: number): string =>
  parseEntry(entries[place] ?? "")?.name ?? "";

// An attempt that failed may have been written down and its stake still stand: then it is nobody's.
function isHeld(stored: StoredRecord, stake: TaskStake, now: number): boolean {
  if (stored.due > now) return false;
  return stored.run !== undefined || !stored.writer.startsWith(`${stake.id}.`);
}
