import type { Claim } from "../../ports/broker.ts";
import { isSameStake } from "./control.ts";
import type { Control, TaskStake } from "./control.ts";
import type { StoredRecord } from "./record.ts";

/** A stake that this owner has, with the records in it. */
export class Hold {
  readonly stake: TaskStake;
  readonly epoch: string;
  records: HeldRecord[] = [];
  /** Every task of it, in the order to be started. */
  readonly order: HeldTask[] = [];
  /** Another owner has it, or the queue was lost: nothing of it may be started or settled any more. */
  isLost = false;
  /** The lease ended: what was not started must not be, but what was may still be settled. */
  hasLapsed = false;
  /** Places of entries that are settled, and whose names may stand for another task soon. */
  readonly struck = new Set<number>();
  /** Something could not be written down yet, so the stake has to stand. */
  mustStand = false;
  /** Outcomes of it that were not written down for want of memory: the stake stands until they are. */
  owed = 0;
  /** How many tasks may be started without a mark at a time; the stake says at least that. */
  loose: number;
  /** How many are. */
  startedLoose = 0;
  startedCount = 0;
  /** Handed out and not started. */
  handedCount = 0;
  /** Suspects that were handed out and are not settled. */
  aloneCount = 0;
  #firstUnstarted = 0;
  #receipts = 0;

  constructor(stake: TaskStake, epoch: string) {
    this.stake = stake;
    this.epoch = epoch;
    this.loose = stake.loose;
  }

  /** A receipt for a task of it; never the same twice. */
  receipt(): string {
    return `${this.stake.id}.${String(this.stake.generation)}.${String(this.#receipts++)}`;
  }

  /** Nothing is left to do: the stake can go. */
  get isOver(): boolean {
    return !this.stays && this.records.every((record) => record.openCount === 0);
  }

  /** Nothing is left to run, and still it has to stand. */
  get isStuck(): boolean {
    return (
      this.mustStand &&
      this.owed === 0 &&
      !this.isLost &&
      this.records.every((record) => record.openCount === 0)
    );
  }

  /** It has to stand, whatever becomes of its tasks. */
  get stays(): boolean {
    return this.mustStand || this.owed > 0;
  }

  /** Tasks of it that run, or may be run, at this moment. */
  get outCount(): number {
    return this.isLost || this.hasLapsed ? this.startedCount : this.handedCount + this.startedCount;
  }

  /** Whether every task before this one was started: only then is what may have been started known by its count. */
  isNext(task: HeldTask): boolean {
    for (; this.#firstUnstarted < this.order.length; this.#firstUnstarted++) {
      const phase = this.order[this.#firstUnstarted]?.phase;
      if (phase !== "started" && phase !== "over") break;
    }
    return this.order[this.#firstUnstarted] === task;
  }

  /** Tasks that were handed back start again from the first. */
  reorder(): void {
    this.#firstUnstarted = 0;
  }

  /** Whether the block still says that it is this owner's. */
  stands(control: Control): boolean {
    return control.epoch === this.epoch && control.stakes.some((stake) => isSameStake(stake, this.stake));
  }
}

const NONE: ReadonlySet<number> = new Set();

/** A record in a hold, as it is known to be on the server. */
export class HeldRecord {
  readonly hold: Hold;
  /** Which entry of the stake. */
  readonly place: number;
  readonly name: string;
  stored: StoredRecord;
  cas: bigint;
  /** Tasks of it that are not over. */
  openCount = 0;
  readonly #tasks: HeldTask[] = [];
  /** Members that have left the bundle, which the record does not say yet. */
  gone: ReadonlySet<number> = NONE;
  /** The block says something of it that the record did not: it has to stay in its stake. */
  isInBlock = false;
  /** It was found to be another than it is known here: a mark finds out what became of it. */
  isChanged = false;
  /** Whoever changes the record waits for the one before. */
  turn: Promise<unknown> | undefined;

  constructor(hold: Hold, place: number, read: ReadRecord) {
    this.hold = hold;
    this.place = place;
    this.name = read.name;
    this.stored = read.stored;
    this.cas = read.cas;
  }

  get open(): readonly HeldTask[] {
    return this.#tasks.filter(({ phase }) => phase !== "over");
  }

  /**
   * What is to be on record for each task when the record is written next: whatever was started is charged,
   * and so is what an earlier owner may have started. `starting` is about to be.
   */
  charges(starting?: HeldTask): ReadonlyMap<number, number> {
    const charged = (task: HeldTask): boolean => task === starting || task.phase === "started";
    return new Map(this.open.map((task) => [task.index, task.claim.attempt - (charged(task) ? 0 : 1)]));
  }

  /** The charges are on record now: nothing of it is loose any more. */
  tighten(): void {
    for (const task of this.#tasks) if (task.isLoose) this.#mark(task);
  }

  /** Members that have left the bundle. */
  leave(indexes: readonly number[]): void {
    this.gone = new Set([...this.gone, ...indexes]);
  }

  /** A task of it; where there is one at its place already, it takes its place. */
  add(task: HeldTask): void {
    this.#tasks.push(task);
    this.openCount += 1;
  }

  handOut(task: HeldTask): void {
    task.phase = "handed";
    this.hold.handedCount += 1;
    if (task.claim.alone) this.hold.aloneCount += 1;
  }

  /** @param isLoose without a mark */
  start(task: HeldTask, isLoose: boolean): void {
    task.phase = "started";
    task.isLoose = isLoose;
    this.hold.handedCount -= 1;
    this.hold.startedCount += 1;
    if (isLoose) this.hold.startedLoose += 1;
  }

  /** It may be handed out again. */
  pool(task: HeldTask): void {
    this.#leave(task, "pooled");
    this.hold.reorder();
  }

  /** The task is over for this owner, however it ended. */
  letGo(task: HeldTask): void {
    if (task.phase !== "over") this.openCount -= 1;
    this.#leave(task, "over");
  }

  #leave(task: HeldTask, phase: "pooled" | "over"): void {
    if (task.isLoose) this.#mark(task);
    if (task.phase === "handed") this.hold.handedCount -= 1;
    if (task.phase === "started") this.hold.startedCount -= 1;
    if (task.claim.alone && (task.phase === "handed" || task.phase === "started")) this.hold.aloneCount -= 1;
    task.phase = phase;
  }

  #mark(task: HeldTask): void {
    task.isLoose = false;
    this.hold.startedLoose -= 1;
  }
}

/** A record as it was read. */
export interface ReadRecord {
  readonly name: string;
  readonly stored: StoredRecord;
  readonly cas: bigint;
}

/** A task that is held. */
export interface HeldTask {
  readonly record: HeldRecord;
  /** Its place in the record. */
  readonly index: number;
  readonly claim: Claim;
  /** "pooled": not handed out. */
  phase: "pooled" | "handed" | "started" | "over";
  /** Started without a mark. */
  isLoose: boolean;
}

/** Does `work` when everybody who works on one of the records is done. */
export function inTurn<T>(records: readonly HeldRecord[], work: () => Promise<T>): Promise<T> {
  const before = records.flatMap((record) => record.turn ?? []);
  const mine = before.length === 0 ? work() : Promise.all(before).then(work);
  const over = mine.then(ignore, ignore).then(() => {
    for (const record of records) if (record.turn === over) record.turn = undefined;
  });
  for (const record of records) record.turn = over;
  return mine;
}

const ignore = (): void => undefined; // whoever asked for the work is told how it ended
