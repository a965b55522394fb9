import type { Settled } from "../../ports/broker.ts";
import type { Outcome } from "../../task/outcome.ts";
import { MemqError } from "../../errors.ts";
import type { Aftercare } from "./aftercare.ts";
import { becomes } from "./becomes.ts";
import type { BlockMarks } from "./block-marks.ts";
import type { DeadLetters } from "./dead-letters.ts";
import { afterwards, Debts } from "./endings.ts";
import type { Ended, Endings } from "./endings.ts";
import type { Delayed } from "./delayed.ts";
import { inTurn } from "./hold.ts";
import type { HeldRecord, HeldTask } from "./hold.ts";
import { isKeyed, memberId } from "./names.ts";
import type { Parts } from "./parts.ts";
import { decodeRecord, encodeRecord } from "./record.ts";
import type { StoredRecord } from "./record.ts";
import { itemOf } from "./session.ts";
import type { Item } from "./session.ts";
import type { Change, RecordWriter, Wrote } from "./record-writer.ts";
import type { Appended } from "./waiting-list.ts";

/** A held task and how it ended. */
export interface Ending {
  readonly task: HeldTask;
  readonly outcome: Outcome;
}

// A cancel that comes between is seen once; more often means that something is wrong with the server.
const MOST_CHANGES = 10;
// Their stakes stand in the block.
const MOST_OWED = 64;
// Tried again with every settle, while there are any.
const OWED_AT_ONCE = 8;

/** Records that are not to be written (any further): others have them, or there is no memory. */
interface Aside {
  readonly lost: Set<HeldRecord>;
  readonly owed: Set<HeldRecord>;
}

/** Ends held tasks: writes their outcome into the record, then into the list that it belongs to. */
export class Ender {
  readonly #parts: Parts;
  readonly #writer: RecordWriter;
  readonly #delayed: Delayed;
  readonly #dead: DeadLetters;
  readonly #aftercare: Aftercare;
  readonly #marks: BlockMarks;
  readonly #debts = new Debts();

  constructor(
    parts: Parts,
    tools: {
      readonly writer: RecordWriter;
      readonly delayed: Delayed;
      readonly dead: DeadLetters;
      readonly aftercare: Aftercare;
      readonly marks: BlockMarks;
    },
  ) {
    this.#parts = parts;
    this.#writer = tools.writer;
    this.#delayed = tools.delayed;
    this.#dead = tools.dead;
    this.#aftercare = tools.aftercare;
    this.#marks = tools.marks;
  }

  /** In as few round trips as possible: one, when all are done. */
  end(endings: readonly Ending[]): Promise<readonly Settled[]> {
    const settled = endings.every(isPlainlyDone) ? this.#endDone(endings) : this.#endAll(endings);
    return this.#debts.size === 0 ? settled : settled.then((answers) => this.#andPay(answers));
  }

  /** Writes down what could not be: for want of memory some of it may be owed again. */
  async pay(most = Infinity): Promise<void> {
    const owed = this.#debts.take(most);
    if (owed.size > 0) await inTurn([...owed.keys()], () => this.#endRecords(owed));
  }

  async #andPay(answers: readonly Settled[]): Promise<readonly Settled[]> {
    await this.pay(OWED_AT_ONCE); // what was done has made room
    return answers;
  }

  async #endAll(endings: readonly Ending[]): Promise<readonly Settled[]> {
    const records = new Map<HeldRecord, Ended[]>();
    for (const { task, outcome } of endings) {
      const attempts = task.claim.attempt - (task.phase === "started" ? 0 : 1);
      const known = records.get(task.record);
      if (known === undefined) records.set(task.record, [{ task, outcome, attempts }]);
      else known.push({ task, outcome, attempts });
    }
    if (endings.some(({ outcome }) => outcome.kind === "retry")) await this.#parts.time.known();
    const lost = await inTurn([...records.keys()], () => this.#endRecords(records));
    for (const { task } of endings) task.record.letGo(task);
    return endings.map(({ task }) => (lost.has(task.record) ? "lost" : "settled"));
  }

  /** Single tasks that are done: most endings are. */
  async #endDone(endings: readonly Ending[]): Promise<readonly Settled[]> {
    const wrote = await this.#writer.write(
      endings.map(({ task }) => ({ record: task.record, next: undefined })),
    );
    const settled: Settled[] = [];
    for (const [at, { task }] of endings.entries()) {
      // A cancel came between: there is still nothing left of it afterwards.
      const isCancelled = wrote[at] === "changed" && (await this.#writer.remove(task.record));
      const isSettled = wrote[at] === "written" || isCancelled;
      settled.push(isSettled ? "settled" : "lost");
      if (!isSettled) await this.#aftercare.lookAgain(task.record);
      task.record.letGo(task);
    }
    return settled;
  }

  /** Writes down which members have left a bundle. */
  async progress(record: HeldRecord): Promise<void> {
    await inTurn([record], () => this.#endRecords(new Map([[record, []]])));
  }

  /** @returns the records that others have */
  async #endRecords(records: Endings): Promise<ReadonlySet<HeldRecord>> {
    const aside: Aside = { lost: new Set(), owed: new Set() };
    for (const record of records.keys()) if (record.hold.isLost) aside.lost.add(record);
    await this.#leave(records, aside);
    await this.#finish(records, aside);
    await this.#index(records, aside);
    for (const record of aside.owed) {
      if (!(await this.#owe(record, records.get(record) ?? []))) aside.lost.add(record);
    }
    for (const record of aside.lost) if (!record.hold.isLost) await this.#aftercare.lookAgain(record);
    return aside.lost;
  }

  /**
   * What is not on the record yet is said in the block, for whoever comes after a death: who has left a bundle,
   * and is settled with that, and who is charged.
   */
  async #owe(record: HeldRecord, endings: readonly Ended[]): Promise<boolean> {
    record.isInBlock = true;
    if (record.stored.bundled && !(await this.#leaveInBlock(record, endings))) return false;
    const owed = endings.filter(({ task }) => !record.gone.has(task.index));
    if (owed.length === 0) return true;
    if (this.#debts.size >= MOST_OWED) throw this.#full();
    for (const { task, attempts } of owed) {
      if (task.isLoose && !(await this.#marks.mark(record, task.index, attempts))) return false;
    }
    this.#debts.add(record, owed);
    return true;
  }

  async #leaveInBlock(record: HeldRecord, endings: readonly Ended[]): Promise<boolean> {
    const done = endings.filter(({ outcome }) => outcome.kind === "done").map(({ task }) => task.index);
    const gone = new Set([...record.gone, ...done]);
    if (gone.size > 0 && !(await this.#marks.leave(record, gone))) return false;
    record.leave(done);
    return true;
  }

  /** Members that do not end well leave their bundle with a record of their own. */
  async #leave(records: Endings, aside: Aside): Promise<void> {
    const leaving = [...records].filter(
      ([record, endings]) =>
        record.stored.bundled &&
        !isAside(record, aside) &&
        endings.some(({ outcome }) => outcome.kind !== "done"),
    );
    if (leaving.length === 0) return;
    // The mark first: an owner that has lost the bundle is stopped here, before it leaves a second record of a member.
    await this.#writeAll(
      leaving.map(([record]) => record),
      (record) => markOf(record),
      aside,
    );
    for (const [record, endings] of leaving) {
      if (isAside(record, aside)) continue;
      record.tighten();
      for (const ending of endings) {
        const mayLeave = !aside.owed.has(record) && !record.gone.has(ending.task.index);
        if (mayLeave && !(await this.#leaveBundle(record, ending))) aside.owed.add(record);
      }
    }
  }

  /** False: there was no memory for it. */
  async #leaveBundle(record: HeldRecord, ending: Ended): Promise<boolean> {
    const { index } = ending.task;
    const child = afterwards(this.#parts, becomes.child(record.stored, index), { ending, isTight: false });
    if (child === undefined || record.stored.members[index]?.text === undefined) return true;
    const { session, keys } = this.#parts;
    const name = memberId(record.name, index);
    const key = keys.record(record.hold.epoch, name);
    const [added, read] = await session.surely([
      { kind: "add", key, value: encodeRecord(child) },
      { kind: "get", key },
    ]);
    if (added?.answer.kind === "full") return false;
    // Not there any more: it was there before, and has ended; or the queue was lost.
    const there = storedIn(itemOf(read?.answer));
    // Unlisted it is found by its bundle alone, which must not go before.
    if (there && (await this.#list(record, name, there)) === "full") return false;
    record.leave([index]);
    return true;
  }

  /** What is left of the records: nothing, or the state that they are in now. */
  async #finish(records: Endings, aside: Aside): Promise<void> {
    await this.#writeAll(
      [...records.keys()],
      (record, isTight) => this.#afterwards(record, records.get(record) ?? [], isTight),
      aside,
    );
    for (const [record, endings] of records) {
      if (!record.stored.bundled || isAside(record, aside)) continue;
      record.leave(endings.map(({ task }) => task.index));
      record.tighten();
    }
  }

  #afterwards(record: HeldRecord, endings: readonly Ended[], isTight: boolean): StoredRecord | undefined {
    const { stored, hold } = record;
    if (stored.state === "cancelled") return undefined;
    const [ending] = endings;
    if (!stored.bundled) return ending && afterwards(this.#parts, stored, { ending, isTight });
    const gone = new Set([...record.gone, ...endings.map(({ task }) => task.index)]);
    if (stored.members.every(({ text }, index) => text === undefined || gone.has(index))) return undefined;
    const run = { stake: hold.stake.id, generation: hold.stake.generation };
    return becomes.marked(becomes.without(stored, gone), { run, attempts: record.charges() });
  }

  /** Lists what has a new state; until then the stake covers it. */
  async #index(records: Endings, aside: Aside): Promise<void> {
    for (const [record, [ending]] of records) {
      if (record.stored.bundled || isAside(record, aside) || ending === undefined) continue;
      if (ending.outcome.kind !== "done" && record.stored.state !== "cancelled") {
        const listed = await this.#list(record, record.name, record.stored);
        if (listed === "full") record.hold.mustStand = true;
      }
    }
  }

  #list({ hold, cas }: HeldRecord, name: string, stored: StoredRecord): Promise<Appended> {
    if (stored.state === "ready") {
      return this.#delayed.add(hold.epoch, [{ name, due: stored.due, parked: false }]);
    }
    return isKeyed(name)
      ? this.#dead.free(hold.epoch, { name, stored, cas })
      : this.#dead.list(hold.epoch, [name]);
  }

  /**
   * Writes records, again where a cancel came between, and shorter where there was no memory; those that others have,
   * and those for which there is no memory at all, are put aside.
   */
  async #writeAll(
    records: readonly HeldRecord[],
    next: (record: HeldRecord, isTight: boolean) => StoredRecord | undefined,
    aside: Aside,
  ): Promise<void> {
    const tight = new Set<HeldRecord>();
    let open = records.filter((record) => !isAside(record, aside));
    for (let round = 0; open.length > 0; round++) {
      const changes: Change[] = open.map((record) => ({ record, next: next(record, tight.has(record)) }));
      const wrote = await this.#writer.write(changes);
      for (const [at, record] of open.entries()) {
        if (isLost(wrote[at], round)) aside.lost.add(record);
        if (wrote[at] !== "full") continue;
        if (tight.has(record)) aside.owed.add(record);
        tight.add(record);
      }
      open = open.filter((record, at) => !isAside(record, aside) && wrote[at] !== "written");
    }
  }

  #full(): MemqError {
    const { session, queue } = this.#parts;
    const server = session.wire.server;
    return new MemqError(
      "QUEUE_FULL",
      `memcached at ${server} has no memory for an outcome in queue "${queue}"`,
    );
  }
}

function storedIn(item: Item | undefined): StoredRecord | undefined {
  const decoded = item && decodeRecord(item.value);
  return decoded?.kind === "record" ? decoded.record : undefined;
}

const isPlainlyDone = ({ task: { record }, outcome }: Ending): boolean =>
  outcome.kind === "done" && !record.stored.bundled && !record.hold.isLost && record.turn === undefined;

const isAside = (record: HeldRecord, { lost, owed }: Aside): boolean => lost.has(record) || owed.has(record);

const isLost = (wrote: Wrote | undefined, round: number): boolean =>
  wrote === "lost" || wrote === undefined || (wrote === "changed" && round >= MOST_CHANGES);

/** A bundle in which everything that was started is charged, by the owner who has it. */
function markOf(record: HeldRecord): StoredRecord {
  const { id, generation } = record.hold.stake;
  return becomes.marked(record.stored, { run: { stake: id, generation }, attempts: record.charges() });
}
