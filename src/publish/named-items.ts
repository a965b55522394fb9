import { createHash } from "node:crypto";
import { describeError, MemqError } from "../errors.ts";
import { thisProcess } from "../host/process-identity.ts";
import { MAX_BULK_NAME_BYTES } from "../ports/bulks.ts";
import { MAX_BATCH, type Broker } from "../ports/broker.ts";
import type { Clock } from "../ports/clock.ts";
import type { Call } from "../task/task.ts";
import { inBatches, type BulkReport, type BulkSource, type OnOutcome } from "./bulk.ts";
import { placeText, type BulkPlace } from "./bulk-place.ts";
import { takeUp, type FoundBulk } from "./bulk-turn.ts";
import type { PublishOptions } from "./draft.ts";
import type { BulkItem, BulkOutcome, Publisher } from "./publisher.ts";

/** How items become a bulk that has a name. */
export interface NamedItems {
  readonly name: string;
  /** Published when all of it is settled. */
  readonly then: Call | undefined;
  readonly options: PublishOptions;
  readonly onOutcome: OnOutcome | undefined;
}

interface Parts {
  readonly broker: Broker;
  readonly publisher: Publisher;
  readonly clock: Clock;
}

/**
 * Publishes all items under a name, behind those that were answered under it before.
 * @throws MemqError BULK_TAKEN, BULK_CHANGED; when the broker fails: called again, it goes on.
 */
export async function publishNamed(parts: Parts, items: BulkSource, how: NamedItems): Promise<BulkReport> {
  assertName(how.name);
  const found = await takeUp(parts.broker, how.name, parts.clock.now());
  const bulk = new ItemBulk(parts, how, found);
  for await (const batch of inBatches(bulk.behind(items), MAX_BATCH)) await bulk.publish(batch);
  return bulk.end();
}

function assertName(name: unknown): void {
  const bytes = typeof name === "string" ? Buffer.byteLength(name) : 0;
  if (bytes > 0 && bytes <= MAX_BULK_NAME_BYTES) return;
  const wanted = `a text of 1 to ${String(MAX_BULK_NAME_BYTES)} bytes`;
  throw new MemqError("USAGE", `the name of a bulk is ${wanted}, not ${JSON.stringify(name)}`);
}

class ItemBulk {
  readonly #parts: Parts;
  readonly #how: NamedItems;
  readonly #start: BulkPlace | undefined;
  /** Of the items that were read, so that more may follow later, but not others. */
  readonly #print = createHash("sha256").update("items\n");
  readonly #outcomes: BulkOutcome[] = [];
  readonly #count: { kept: number; duplicate: number; refused: number };
  #line: number;
  #version: string | undefined;

  constructor(parts: Parts, how: NamedItems, found: FoundBulk | undefined) {
    this.#parts = parts;
    this.#how = how;
    this.#start = found?.place;
    const { line = 0, duplicate = 0, refused = 0 } = found?.place ?? {};
    this.#line = line;
    this.#count = { kept: found?.kept ?? 0, duplicate, refused };
    this.#version = found?.version;
  }

  /** The items that were not answered before. @throws MemqError BULK_CHANGED when those that were are others now */
  async *behind(items: BulkSource): AsyncGenerator<BulkItem> {
    let skipped = 0;
    const first = this.#line;
    for await (const item of items) {
      if (skipped === first) yield item;
      else {
        this.#read(item);
        if (++skipped === first && this.#digest() !== this.#start?.print) throw this.#changed();
      }
    }
    if (skipped < first) throw this.#changed();
  }

  async publish(items: readonly BulkItem[]): Promise<void> {
    for (const item of items) this.#read(item);
    const by = thisProcess();
    const outcomes = await this.#step(items, { line: this.#line + items.length, by });
    const tell = this.#how.onOutcome ?? ((outcome: BulkOutcome) => void this.#outcomes.push(outcome));
    for (const outcome of outcomes) {
      this.#count[outcome.kind]++;
      const told = tell(outcome, this.#line++);
      if (told !== undefined) await told;
    }
  }

  /** There are no more: only from now on it can be settled. */
  async end(): Promise<BulkReport> {
    const before = this.#start?.line ?? 0;
    await this.#step([], { line: this.#line });
    return { outcomes: this.#outcomes, ...this.#count, ...(before > 0 && { before }) };
  }

  async #step(
    items: readonly BulkItem[],
    place: Pick<BulkPlace, "line" | "by">,
  ): Promise<readonly BulkOutcome[]> {
    const { publisher, clock } = this.#parts;
    const { name, then, options } = this.#how;
    const [print, { duplicate, refused }] = [this.#digest(), this.#count];
    const all = (outcomes: readonly BulkOutcome[], kind: BulkOutcome["kind"]): number =>
      outcomes.filter((outcome) => outcome.kind === kind).length;
    const placeOf = (outcomes: readonly BulkOutcome[]): string =>
      placeText({
        ...place,
        bytes: 0,
        print,
        duplicate: duplicate + all(outcomes, "duplicate"),
        refused: refused + all(outcomes, "refused"),
        at: clock.now(),
      });
    const part = { name, expected: this.#version, place: placeOf, then, isLast: place.by === undefined };
    const { outcomes, version } = await publisher.publishPart(items, part, options);
    this.#version = version;
    return outcomes;
  }

  #read(item: BulkItem): void {
    this.#print.update(`${textOf(item)}\n`);
  }

  #digest(): string {
    return this.#print.copy().digest("hex");
  }

  #changed(): MemqError {
    const what = `the first ${String(this.#start?.line ?? 0)} items differ from what was published`;
    return new MemqError("BULK_CHANGED", `bulk "${this.#how.name}": ${what}`);
  }
}

/** Of what JSON cannot write its refusal has to do: it is refused as a task, too. */
function textOf(item: BulkItem): string {
  try {
    return JSON.stringify(item);
  } catch (error) {
    return describeError(error);
  }
}
