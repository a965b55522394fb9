import type { Clock } from "../../ports/clock.ts";
import { Bell } from "./bell.ts";
import { BulkShelf } from "./bulk-shelf.ts";
import { becomes } from "./entry.ts";
import type { Entry } from "./entry.ts";
import { MemoryNotes } from "./notes.ts";
import { ResultShelf } from "./result-shelf.ts";
import { Shelf } from "./shelf.ts";

/**
 * What the owners of one queue share. Nothing here waits, so every step is atomic; time comes from the
 * clock alone. Gone with the process.
 */
export class MemoryQueue {
  readonly name: string;
  readonly clock: Clock;
  readonly shelf = new Shelf();
  readonly bell = new Bell();
  readonly notes = new MemoryNotes();
  readonly bulks = new BulkShelf();
  readonly results = new ResultShelf();
  #pausedUntil = -Infinity;
  #lastNumber = 0;

  constructor(name: string, clock: Clock) {
    this.name = name;
    this.clock = clock;
  }

  /** A number never given before: for ids, receipts and owners. */
  nextNumber(): number {
    return (this.#lastNumber += 1);
  }

  pause(untilMs: number): void {
    this.#pausedUntil = untilMs;
    this.bell.ring();
  }

  /** When the pause ends (Infinity: by `resume`); undefined when there is none. */
  pausedUntil(now: number): number | undefined {
    return this.#pausedUntil > now ? this.#pausedUntil : undefined;
  }

  /** The owner died, or stalled past its lease: another may claim what it holds. */
  endLease(owner: string): void {
    const now = this.clock.now();
    for (const entry of this.shelf.all()) {
      if (entry.hold?.owner === owner) this.shelf.put(becomes.leased(entry, entry.hold, now));
    }
    this.bell.ring();
  }

  /** Takes a task away undone. */
  remove(entry: Entry): void {
    this.shelf.remove(entry);
    this.bulks.removed(entry);
    this.results.ended(entry.id);
  }

  /** Puts other text where the task's text stands. */
  corrupt(id: string, text: string): void {
    const entry = this.shelf.get(id);
    if (entry !== undefined) this.shelf.put({ ...entry, text });
  }

  /** The next time at which a task may become claimable by itself: it falls due, a lease or the pause ends. */
  nextChangeAt(now: number): number {
    let next = this.pausedUntil(now) ?? Infinity;
    for (const { since, hold, buriedAt } of this.shelf.all()) {
      if (buriedAt !== undefined) continue;
      const at = hold?.leaseEndsAt ?? since;
      if (at > now) next = Math.min(next, at);
    }
    return next;
  }
}
