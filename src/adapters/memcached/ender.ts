import type { Settled } from "../../ports/broker.ts";
import type { Outcome } from "../../task/outcome.ts";
import { MemqError } from "../../errors.ts";
import type { Aftercare } from "./aftercare.ts";
import { becomes } from "./becomes.ts";
import { writerOf } from "./control.ts";
import type { DeadLetters } from "./dead-letters.ts";
import type { Delayed } from "./delayed.ts";
import { inTurn } from "./hold.ts";
import type { HeldRecord, HeldTask } from "./hold.ts";
import { isKeyed, memberId } from "./names.ts";
import type { Parts } from "./parts.ts";
import { decodeRecord, encodeRecord } from "./record.ts";
import type { StoredRecord } from "./record.ts";
import { itemOf } from "./session.ts";
import type { Change, RecordWriter, Wrote } from "./record-writer.ts";

/** A held task and how it ended. */
export interface Ending {
  readonly task: HeldTask;
  readonly outcome: Outcome;
}

/** The endings of the tasks of one record. */
type Endings = readonly Ending[];

// A cancel that comes between is seen once; more often means that something is wrong with the server.
const MOST_CHANGES = 10;

/** Ends held tasks: writes their outcome into the record, then into the list that it belongs to. */
export class Ender {
  readonly #parts: Parts;
  readonly #writer: RecordWriter;
  readonly #delayed: Delayed;
  readonly #dead: DeadLetters;
  readonly #aftercare: Aftercare;

  constructor(
    parts: Parts,
    tools: {
      readonly writer: RecordWriter;
      readonly delayed: Delayed;
      readonly dead: DeadLetters;
      readonly aftercare: Aftercare;
    },
  ) {
    this.#parts = parts;
    this.#writer = tools.writer;
    this.#delayed = tools.delayed;
    this.#dead = tools.dead;
    this.#aftercare = tools.aftercare;
  }

  /** In as few round trips as possible: one, when all are done. */
  async end(endings: readonly Ending[]): Promise<readonly Settled[]> {
    if (endings.every(isPlainlyDone)) return this.#endDone(endings);
    const records = new Map<HeldRecord, Ending[]>();
    for (const ending of endings) {
      const known = records.get(ending.task.record);
      if (known === undefined) records.set(ending.task.record, [ending]);
      else known.push(ending);
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
  async #endRecords(records: ReadonlyMap<HeldRecord, Endings>): Promise<ReadonlySet<HeldRecord>> {
    const lost = new Set<HeldRecord>();
    for (const record of records.keys()) if (record.hold.isLost) lost.add(record);
    await this.#leave(records, lost);
    await this.#finish(records, lost);
    await this.#index(records, lost);
    for (const record of lost) if (!record.hold.isLost) await this.#aftercare.lookAgain(record);
    return lost;
  }

  /** Members that do not end well leave their bundle with a record of their own. */
  async #leave(records: ReadonlyMap<HeldRecord, Endings>, lost: Set<HeldRecord>): Promise<void> {
    const leaving = [...records].filter(
      ([record, endings]) =>
        record.stored.bundled && !lost.has(record) && endings.some(({ outcome }) => outcome.kind !== "done"),
    );
    if (leaving.length === 0) return;
    // The mark first: an owner that has lost the bundle is stopped here, before it leaves a second record of a member.
    await this.#writeAll(
      leaving.map(([record]) => record),
      (record) => markOf(record),
      lost,
    );
    for (const [record, endings] of leaving) {
      record.tighten();
      for (const ending of endings) if (!lost.has(record)) await this.#leaveBundle(record, ending);
    }
  }

  async #leaveBundle(record: HeldRecord, { task, outcome }: Ending): Promise<void> {
    const child = this.#ended(becomes.child(record.stored, task.index), { task, outcome });
    if (child === undefined || record.stored.members[task.index]?.text === undefined) return;
    const { session, keys } = this.#parts;
    const name = memberId(record.name, task.index);
    const key = keys.record(record.hold.epoch, name);
    const [added, read] = await session.surely([
      { kind: "add", key, value: encodeRecord(child) },
      { kind: "get", key },
    ]);
    if (added?.answer.kind === "full") throw this.#full();
    // Not there any more: it was there before, and has ended; or the queue was lost.
    const item = itemOf(read?.answer);
    const decoded = item && decodeRecord(item.value);
    if (decoded?.kind === "record") await this.#list(record, name, decoded.record);
  }

  /** What is left of the records: nothing, or the state that they are in now. */
  async #finish(records: ReadonlyMap<HeldRecord, Endings>, lost: Set<HeldRecord>): Promise<void> {
    await this.#writeAll(
      [...records.keys()],
      (record) => this.#afterwards(record, records.get(record) ?? []),
      lost,
    );
    for (const [record, endings] of records) {
      if (!record.stored.bundled || lost.has(record)) continue;
      record.leave(endings.map(({ task }) => task.index));
      record.tighten();
    }
  }

  #afterwards(record: HeldRecord, endings: Endings): StoredRecord | undefined {
    const { stored, hold } = record;
    if (stored.state === "cancelled") return undefined;
    const [ending] = endings;
    if (!stored.bundled) return ending === undefined ? undefined : this.#ended(stored, ending);
    const gone = new Set([...record.gone, ...endings.map(({ task }) => task.index)]);
    const next = becomes.without(stored, gone);
    if (next.members.every(({ text }) => text === undefined)) return undefined;
    const run = { stake: hold.stake.id, generation: hold.stake.generation };
    return becomes.marked(next, { run, attempts: record.charges() });
  }

  /** A record of one task after an outcome; undefined: nothing is left. */
  #ended(stored: StoredRecord, { task, outcome }: Ending): StoredRecord | undefined {
    const { claim, phase, record } = task;
    const attempts = phase === "started" ? claim.attempt : claim.attempt - 1;
    const writer = writerOf(record.hold.stake);
    switch (outcome.kind) {
      case "done":
        return undefined;
      case "retry":
        return becomes.retried(stored, this.#due(outcome.at), { attempts, error: outcome.error, writer });
      case "dead":
        return becomes.buried(stored, this.#parts.clock.now(), { attempts, error: outcome.reason, writer });
    }
  }

  #due(atMs: number): number {
    return atMs <= this.#parts.clock.now() ? 0 : this.#parts.time.notBefore(atMs);
  }

  /** Lists what has a new state; until then the stake covers it. */
  async #index(records: ReadonlyMap<HeldRecord, Endings>, lost: ReadonlySet<HeldRecord>): Promise<void> {
    for (const [record, [ending]] of records) {
      if (record.stored.bundled || lost.has(record) || ending === undefined) continue;
      if (ending.outcome.kind !== "done" && record.stored.state !== "cancelled") {
        await this.#list(record, record.name, record.stored);
      }
    }
  }

  async #list(record: HeldRecord, name: string, stored: StoredRecord): Promise<void> {
    const { hold, cas } = record;
    const listed =
      stored.state === "ready"
        ? await this.#delayed.index(hold.epoch, [{ name, due: stored.due, parked: false }])
        : isKeyed(name)
          ? await this.#dead.free(hold.epoch, { name, stored, cas })
          : await this.#dead.list(hold.epoch, [name]);
    if (listed === "full") hold.mustStand = true;
  }

  /** Writes records, again where a cancel came between; those that others have join `lost`. */
  async #writeAll(
    records: readonly HeldRecord[],
    next: (record: HeldRecord) => StoredRecord | undefined,
    lost: Set<HeldRecord>,
  ): Promise<void> {
    let open = records.filter((record) => !lost.has(record));
    for (let round = 0; open.length > 0; round++) {
      const changes: Change[] = open.map((record) => ({ record, next: next(record) }));
      const wrote = await this.#writer.write(changes);
      for (const [at, record] of open.entries()) if (isLost(wrote[at], round)) lost.add(record);
      if (wrote.includes("full")) await this.#waitForMemory(round);
      open = open.filter((record, at) => !lost.has(record) && wrote[at] !== "written");
    }
  }

  // Other tasks end meanwhile, and every one that is done frees what it took.
  async #waitForMemory(round: number): Promise<void> {
    if (round >= MOST_CHANGES) throw this.#full();
    const { clock } = this.#parts;
    await clock.until(clock.now() + 50 * (round + 1));
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

const isPlainlyDone = ({ task: { record }, outcome }: Ending): boolean =>
  outcome.kind === "done" && !record.stored.bundled && !record.hold.isLost && record.turn === undefined;

const isLost = (wrote: Wrote | undefined, round: number): boolean =>
  wrote === "lost" || wrote === undefined || (wrote === "changed" && round >= MOST_CHANGES);

/** A bundle in which everything that was started is charged, by the owner who has it. */
function markOf(record: HeldRecord): StoredRecord {
  const { id, generation } = record.hold.stake;
  return becomes.marked(record.stored, { run: { stake: id, generation }, attempts: record.charges() });
}
