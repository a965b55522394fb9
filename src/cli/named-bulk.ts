import { MemqError } from "../errors.ts";
import { thisProcess } from "../host/process-identity.ts";
import type { PublishTo } from "../memq.ts";
import { MAX_BULK_NAME_BYTES } from "../ports/bulks.ts";
import { placeText, type BulkPlace } from "../publish/bulk-place.ts";
import { takeUp } from "../publish/bulk-turn.ts";
import type { BulkItem, BulkOutcome } from "../publish/publisher.ts";
import { readCall } from "../task/call-text.ts";
import type { Call } from "../task/task.ts";
import { InputPrint } from "./input-print.ts";
import type { BulkLine, InputPlace, Reading } from "./bulk-lines.ts";
import type { Session } from "./shell.ts";

/** Counts of what became of lines. */
export interface LineCounts {
  readonly kept: number;
  readonly duplicate: number;
  readonly refused: number;
}

const START = { line: 0, bytes: 0, duplicate: 0, refused: 0, at: 0 };

/** A bulk under a name: goes on where a publisher before has stopped, and writes down how far it is. */
export class NamedBulk {
  readonly name: string;
  /** What became of the lines before. */
  readonly before: LineCounts;
  readonly #session: Session;
  readonly #to: PublishTo;
  readonly #print: InputPrint;
  readonly #start: BulkPlace | undefined;
  readonly #then: Call | undefined;
  #place: Omit<BulkPlace, "print">;
  #version: string | undefined;

  private constructor(session: Session, to: PublishTo, found: FoundBulk) {
    const { name, reading, place, version, kept } = found;
    this.#session = session;
    this.#to = to;
    this.name = name;
    this.#print = new InputPrint(JSON.stringify([reading.format, reading.method ?? null, to.class ?? null]));
    this.#start = place;
    const then = session.parsed.text("then");
    this.#then = then === undefined ? undefined : readCall(then);
    this.#place = place ?? START;
    this.#version = version;
    this.before = { kept, duplicate: this.#place.duplicate, refused: this.#place.refused };
  }

  /** @throws MemqError BULK_TAKEN while another process publishes it */
  static async open(
    session: Session,
    to: PublishTo,
    { name, reading }: { readonly name: string; readonly reading: Reading },
  ): Promise<NamedBulk> {
    assertName(name);
    const broker = await session.openQueue().broker(to.queue);
    const found = await takeUp(broker, name, Date.now());
    return new NamedBulk(session, to, { name, reading, kept: 0, ...found });
  }

  /** Where this publisher goes on. */
  get from(): InputPlace {
    const { line, bytes } = this.#place;
    return { line, bytes };
  }

  /** What of an input is not published yet. @throws MemqError BULK_CHANGED */
  rest(bytes: AsyncIterable<Buffer | string>): AsyncIterable<Buffer> {
    return this.#print.behind(bytes, this.#start, () => this.#changed());
  }

  /** Keeps the items of a batch of lines, and the place behind it. */
  async publish(items: readonly BulkItem[], batch: readonly BulkLine[]): Promise<readonly BulkOutcome[]> {
    const last = batch.at(-1);
    if (last === undefined) return [];
    const faults = batch.length - items.length;
    const print = this.#print.upTo(last.end);
    const { line, end: bytes } = last;
    return this.#step(items, (outcomes) => ({
      line,
      bytes,
      print,
      at: Date.now(),
      by: thisProcess(),
      duplicate: this.#place.duplicate + countOf(outcomes, "duplicate"),
      refused: this.#place.refused + faults + countOf(outcomes, "refused"),
    }));
  }

  /** The input is at its end: only from now on the bulk can be worked off. */
  async end(): Promise<void> {
    const { by: _by, ...place } = this.#place;
    const print = this.#print.upTo(place.bytes);
    await this.#step([], () => ({ ...place, print, at: Date.now() }), { isLast: true });
  }

  async #step(
    items: readonly BulkItem[],
    next: (outcomes: readonly BulkOutcome[]) => BulkPlace,
    { isLast = false } = {},
  ): Promise<readonly BulkOutcome[]> {
    const memq = this.#session.openQueue();
    const part = {
      name: this.name,
      expected: this.#version,
      place: (outcomes: readonly BulkOutcome[]) => placeText(next(outcomes)),
      then: this.#then,
      isLast,
    };
    const { outcomes, version } = await memq.publishPart(items, part, this.#to);
    this.#version = version;
    this.#place = next(outcomes);
    return outcomes;
  }

  #changed(): MemqError {
    const { line } = this.from;
    return new MemqError(
      "BULK_CHANGED",
      `bulk "${this.name}": the method, the class or the first ${String(line)} lines differ from what was published`,
    );
  }
}

interface FoundBulk {
  readonly name: string;
  readonly reading: Reading;
  readonly kept: number;
  readonly place?: BulkPlace;
  readonly version?: string;
}

const countOf = (outcomes: readonly BulkOutcome[], kind: BulkOutcome["kind"]): number =>
  outcomes.filter((outcome) => outcome.kind === kind).length;

// What a terminal or a list of names would stumble over.
const UNPRINTABLE = /\p{C}/u;

function assertName(name: string): void {
  const bytes = Buffer.byteLength(name);
  if (bytes > 0 && bytes <= MAX_BULK_NAME_BYTES && !UNPRINTABLE.test(name)) return;
  throw new MemqError(
    "USAGE",
    `--bulk ${JSON.stringify(name)} is no name (1 to ${String(MAX_BULK_NAME_BYTES)} bytes that can be printed)`,
  );
}
