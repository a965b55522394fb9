import { isSameLife } from "./becomes.ts";
import { decodeRecord, encodeRecord } from "./record.ts";
import type { StoredRecord } from "./record.ts";
import type { HeldRecord } from "./hold.ts";
import type { Parts } from "./parts.ts";
import { itemOf } from "./session.ts";
import type { Item } from "./session.ts";
import type { Answer, Operation } from "./wire.ts";

/** A held record and what is to stand in its place; undefined: nothing. */
export interface Change {
  readonly record: HeldRecord;
  readonly next: StoredRecord | undefined;
}

/**
 * "changed": a cancel came between; the record is now known as it is, decide again. "lost": another owner has
 * or had it. "full": no memory for it, nothing was changed.
 */
export type Wrote = "written" | "changed" | "lost" | "full";

/** Writes held records, each against the version that is known, and finds out what became of doubtful writes. */
export class RecordWriter {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** All in one round trip, unless one is refused or not answered. */
  async write(changes: readonly Change[]): Promise<readonly Wrote[]> {
    const attempts = changes.map((change) => this.#attempt(change));
    const answers = await this.#parts.session.ask(attempts.map(({ operation }) => operation));
    const wrote: Wrote[] = [];
    for (const [index, attempt] of attempts.entries()) {
      const answer = answers[index];
      wrote.push(answer?.kind === "ok" ? done(attempt, answer.cas) : await this.#resolve(attempt, answer));
    }
    return wrote;
  }

  /** Removes a record as it is known by now; false: another owner has or had it. */
  async remove(record: HeldRecord): Promise<boolean> {
    const [wrote] = await this.write([{ record, next: undefined }]);
    return wrote === "written";
  }

  #attempt({ record, next }: Change): Attempt {
    const key = this.#parts.keys.record(record.hold.epoch, record.name);
    if (next === undefined) return { record, next, operation: { kind: "delete", key, cas: record.cas } };
    const text = encodeRecord(next);
    return { record, next, text, operation: { kind: "replace", key, value: text, cas: record.cas } };
  }

  // A refusal is not believed either: the write may have been done by an earlier sending of the same bytes.
  async #resolve(attempt: Attempt, first: Answer = UNKNOWN): Promise<Wrote> {
    const { session } = this.#parts;
    const patience = session.patience();
    let isDoubtful = false;
    let answer = first;
    for (;;) {
      if (answer.kind === "ok") return done(attempt, answer.cas);
      if (answer.kind === "full" || answer.kind === "tooLarge") return "full";
      isDoubtful ||= answer.kind === "unknown";
      const found = await this.#look(attempt, isDoubtful);
      if (found !== "again") return found;
      await patience.again();
      [answer = UNKNOWN] = await session.ask([attempt.operation]);
    }
  }

  /** What became of a write that was refused or not answered; "again": nothing so far. */
  async #look(attempt: Attempt, isDoubtful: boolean): Promise<Wrote | "again"> {
    const { record, text } = attempt;
    const { item, isOurs } = await this.#read(record);
    // A delete that came through, or a record that others have settled.
    if (item === undefined) return isDoubtful && text === undefined ? done(attempt, 0n) : "lost";
    if (text !== undefined && item.value.equals(Buffer.from(text))) return done(attempt, item.cas);
    if (item.cas === record.cas) return "again";
    return isOurs ? adopt(record, item) : "lost";
  }

  /** A record, and whether the block read after it still gives it to this owner. */
  async #read({
    hold,
    name,
  }: HeldRecord): Promise<{ readonly item: Item | undefined; readonly isOurs: boolean }> {
    const { session, control, keys } = this.#parts;
    const get: Operation = { kind: "get", key: keys.record(hold.epoch, name) };
    const [read, block] = await session.surely([get, control.look]);
    const seen = await control.take(block?.answer);
    return { item: itemOf(read?.answer), isOurs: seen !== undefined && hold.stands(seen.control) };
  }
}

const UNKNOWN: Answer = { kind: "unknown" };

/** Takes the record as it is now, if only a cancel came between. */
function adopt(record: HeldRecord, item: Item): "changed" | "lost" {
  const decoded = decodeRecord(item.value);
  if (decoded.kind !== "record" || !isSameLife(record.stored, decoded.record)) return "lost";
  record.stored = decoded.record;
  record.cas = item.cas;
  return "changed";
}

interface Attempt extends Change {
  readonly operation: Operation;
  /** What is to stand there. */
  readonly text?: string;
}

function done({ record, next }: Attempt, cas: bigint): Wrote {
  if (next !== undefined) record.stored = next;
  record.cas = cas;
  return "written";
}
