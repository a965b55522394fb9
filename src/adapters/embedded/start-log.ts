import { FlightJournal } from "./flight-journal.ts";
import { Stride } from "./stride.ts";

/** A note of one or more starts; its place is free when all of their tasks are settled. */
interface Note {
  readonly place: number;
  open: number;
}

/** A claimed task, as the log of its owner's starts sees it. */
export interface Startable {
  readonly row: number;
  readonly claimNumber: number;
  readonly alone: boolean;
  started: boolean;
  /** Covers its start, which may be to come. */
  note: Note | undefined;
  /** The one that was claimed after it. */
  next: Startable | undefined;
  held: boolean;
}

/** Notes what an owner starts where it outlives the owner's process. */
export class StartLog {
  readonly #journal: FlightJournal;
  readonly #stride = new Stride(() => performance.now());
  #latest: Startable | undefined;

  /** @throws the file system's error when its file cannot be made. */
  constructor(path: string) {
    this.#journal = new FlightJournal(path);
  }

  /**
   * Notes a start, and with it those that follow at once where tasks take next to no time. False: it could not.
   * @throws the file system's error
   */
  start(task: Startable, atOnce: number): boolean {
    // Whoever leaves some out starts none of those that a note would cover with it.
    if (this.#latest?.held === true && this.#latest.next !== task) this.#stride.breakOff();
    if (task.note === undefined && !this.#write(task, atOnce)) return false;
    this.#latest = task;
    task.started = true;
    return true;
  }

  #write(task: Startable, atOnce: number): boolean {
    const { row, claimNumber } = task;
    const most = this.#stride.next(atOnce);
    const tasks = most > 1 && isFresh(task) ? neighbours(task, most) : [task];
    const count = tasks.length;
    const place = this.#journal.note(count === 1 ? { row, claimNumber } : { row, count });
    if (place === undefined) return false;
    const note = { place, open: count };
    for (const covered of tasks) covered.note = note;
    this.#stride.noted(count);
    return true;
  }

  /** Its task is not held any more. */
  drop(task: Startable): void {
    // A chain of what is over would be carried along until the next great collection of garbage.
    task.next = undefined;
    task.held = false;
    if (task.note !== undefined && --task.note.open === 0) this.#journal.free(task.note.place);
  }

  /** The owner turns from its tasks to what is to be done for all of them. */
  interrupt(): void {
    this.#stride.interrupt();
  }

  /** It comes back to them. */
  resume(): void {
    this.#stride.resume();
  }

  close(): void {
    this.#journal.close();
  }
}

/** It and those behind it that a note can cover with it: rows in a row that nobody had claimed before. */
function neighbours(task: Startable, most: number): readonly Startable[] {
  const found = [task];
  let { next } = task;
  while (next !== undefined && found.length < most && isFresh(next) && next.row === task.row + found.length) {
    found.push(next);
    next = next.next;
  }
  return found;
}

const isFresh = ({ claimNumber, alone, started, note, held }: Startable): boolean =>
  claimNumber === 1 && held && !alone && !started && note === undefined;
