import type { Bell } from "../../host/bell.ts";
import { MemqError } from "../../errors.ts";
import type { Published } from "../../ports/broker.ts";
import { bulkTaken } from "../../ports/bulks.ts";
import type { BulkCount, BulkKept, Bulks, BulkState, BulkStep } from "../../ports/bulks.ts";
import type { Call, Draft } from "../../task/task.ts";
import type { BulkConclusion } from "./bulk-conclusion.ts";
import type { BulkLister } from "./bulk-lister.ts";
import { namesBehind } from "./bulk-state.ts";
import type { BulkThen, Series, StoredBulk } from "./bulk-state.ts";
import type { BulkStore, SeenBulk } from "./bulk-store.ts";
import type { BulkTally } from "./bulk-tally.ts";
import { bundlesOf } from "./bundles.ts";
import type { Encoded } from "./bundles.ts";
import { NAME_LETTERS } from "./control-store.ts";
import { ID_PREFIX_LETTERS, numberedName } from "./names.ts";
import {
  addingParcel,
  answersOf,
  encodeDrafts,
  fullReason,
  namesOf,
  parcelOf,
  refusalOf,
  takeBack,
} from "./parcels.ts";
import type { Parcel } from "./parcels.ts";
import type { Parts } from "./parts.ts";

interface BulkTools {
  readonly store: BulkStore;
  readonly lister: BulkLister;
  readonly tally: BulkTally;
  readonly conclusion: BulkConclusion;
  /** Most tasks in one record. */
  readonly bundle: () => Promise<number>;
  /** Rung when tasks are listed. */
  readonly bell: Bell;
}

/** The bulks of a queue on memcached, for one owner: docs/memcached-layout.md. */
export class MemcachedBulks implements Bulks {
  readonly #parts: Parts;
  readonly #tools: BulkTools;
  /** As this owner wrote or read them last. */
  readonly #seen = new Map<string, SeenBulk>();
  /** The names it gives. After a failure others: under the old ones records may stand that nobody knows of. */
  readonly #prefixes = new Map<string, string>();

  constructor(parts: Parts, tools: BulkTools) {
    this.#parts = parts;
    this.#tools = tools;
  }

  async resume(name: string): Promise<BulkState | undefined> {
    const left = await this.#tools.store.read(name);
    if (left === undefined) return undefined;
    await this.#tools.lister.finish(name, left.bulk);
    const seen = await this.#takeOver(name, left);
    this.#seen.set(name, seen);
    return { place: seen.bulk.place, version: String(seen.cas), kept: seen.bulk.kept };
  }

  /**
   * From here on every write of the publisher before is refused: what it added and did not come to write down can go.
   * What this one adds next is named beforehand, for the one who comes after it.
   */
  async #takeOver(name: string, left: SeenBulk): Promise<SeenBulk> {
    const { bulk } = left;
    const prefix = this.#parts.random(ID_PREFIX_LETTERS);
    const begun = bulk.series.filter(({ count }) => count > 0);
    const next: StoredBulk = {
      ...bulk,
      series: [...begun, { prefix, count: 0, members: 0 }],
      open: 0,
      written: this.#parts.random(NAME_LETTERS),
    };
    const seen = await this.#tools.store.write(name, left, next).catch(unlessFull);
    if (seen === undefined) return left;
    this.#prefixes.set(name, prefix);
    await takeBack(this.#parts, bulk.epoch, namesBehind(bulk));
    return seen;
  }

  async publish(drafts: readonly Draft[], step: BulkStep): Promise<BulkKept> {
    const answers: Published[] = [];
    const encoded = await encodeDrafts(this.#parts, drafts, answers);
    const { epoch } = (await this.#parts.control.readOrBegin()).control;
    const seen = await this.#expected(step, epoch);
    const then = thenOf(step, seen?.bulk.then, encoded.length > 0);
    if (then?.concluded === false && seen?.bulk.then?.concluded !== false)
      await this.#tools.conclusion.expect(step.name);
    const series = this.#series(step.name, seen?.bulk);
    const parcels = await this.#parcels(series, this.#withoutKeys(encoded, answers));
    const added = await this.#add(epoch, parcels, answers);
    const place = step.place(answers);
    const next = { ...this.#next({ seen, epoch, series, added, parcels, place }), ...(then && { then }) };
    const written = await this.#write(step.name, { seen, next, added });
    this.#seen.set(step.name, written);
    this.#prefixes.set(step.name, series.prefix);
    await this.#tools.lister.list(step.name, epoch, added);
    this.#tools.bell.ring();
    return { answers, version: String(written.cas) };
  }

  async conclude(): Promise<number> {
    const count = await this.#tools.conclusion.conclude();
    if (count > 0) this.#tools.bell.ring();
    return count;
  }

  count(name: string): Promise<BulkCount | undefined> {
    return this.#tools.tally.count(name);
  }

  async #expected({ name, expected }: BulkStep, epoch: string): Promise<SeenBulk | undefined> {
    const known = this.#seen.get(name);
    const seen =
      known !== undefined && String(known.cas) === expected ? known : await this.#tools.store.read(name);
    if (seen?.cas.toString() !== expected) throw bulkTaken(name);
    if (seen !== undefined && seen.bulk.epoch !== epoch) throw this.#tools.store.lost(name);
    return seen;
  }

  /** Names that go on where this owner stopped. */
  #series(name: string, bulk: StoredBulk | undefined): Series {
    const prefix = this.#prefixes.get(name) ?? this.#parts.random(ID_PREFIX_LETTERS);
    this.#prefixes.delete(name);
    return bulk?.series.find((series) => series.prefix === prefix) ?? { prefix, count: 0, members: 0 };
  }

  /** What has a key is kept under the key's name, not under one that the bulk could find again. */
  #withoutKeys(encoded: readonly Encoded[], answers: Published[]): readonly Encoded[] {
    const reason = `queue "${this.#parts.queue}": on memcached no task of a bulk with a name can have a key`;
    return encoded.filter(({ draft, place }) => {
      if (draft.key !== undefined) answers[place] = { kind: "refused", code: "UNSUPPORTED", reason };
      return draft.key === undefined;
    });
  }

  async #parcels(series: Series, encoded: readonly Encoded[]): Promise<readonly Parcel[]> {
    if (encoded.length === 0) return [];
    const groups = bundlesOf(encoded, encoded.length > 1 ? await this.#tools.bundle() : 1);
    return groups.map((group, at) =>
      parcelOf(this.#parts, numberedName(series.prefix, series.count + at), group),
    );
  }

  /** Adds all records, or none for want of memory; answers those that are there. */
  async #add(epoch: string, parcels: readonly Parcel[], answers: Published[]): Promise<readonly Parcel[]> {
    const added = await this.#parts.session.surely(
      parcels.map((one) => addingParcel(this.#parts, epoch, one)),
    );
    const refusals = added.map(({ answer }) =>
      answer.kind === "exists" ? undefined : refusalOf(this.#parts, answer),
    );
    if (added.some(({ answer }) => answer.kind === "full")) {
      await takeBack(this.#parts, epoch, namesOf(parcels));
      throw new MemqError("QUEUE_FULL", fullReason(this.#parts));
    }
    const pairs = parcels.map((parcel, at) => [parcel, refusals[at]] as const);
    for (const [place, answer] of answersOf(pairs)) answers[place] = answer;
    return parcels.filter((_, at) => refusals[at] === undefined);
  }

  #next(step: NextStep): StoredBulk {
    const { seen, epoch, series, added, parcels, place } = step;
    const sizes = parcels.map(({ drafts }) => drafts.length);
    const grown: Series = {
      prefix: series.prefix,
      count: series.count + parcels.length,
      members: Math.max(series.members, ...sizes),
    };
    const before = seen?.bulk.series.filter(({ prefix }) => prefix !== series.prefix) ?? [];
    return {
      epoch,
      place,
      kept: (seen?.bulk.kept ?? 0) + added.reduce((sum, { drafts }) => sum + drafts.length, 0),
      series: grown.count === 0 ? before : [...before, grown],
      open: parcels.length,
      written: this.#parts.random(NAME_LETTERS),
    };
  }

  async #write(
    name: string,
    { seen, next, added }: Pick<NextStep, "seen" | "added"> & { readonly next: StoredBulk },
  ): Promise<SeenBulk> {
    try {
      return await this.#tools.store.write(name, seen, next);
    } catch (error) {
      // Unless the answer is missing: then it may stand, and who goes on needs them.
      const isRefused = error instanceof MemqError && error.code !== "BROKER_UNREACHABLE";
      if (isRefused) await takeBack(this.#parts, next.epoch, namesOf(added));
      throw error;
    }
  }
}

/** A bulk that was published to its end can be looked at on a full server, too. */
function unlessFull(error: unknown): undefined {
  if (!(error instanceof MemqError) || error.code !== "QUEUE_FULL") throw error;
}

/** What follows the bulk from here on; what keeps more opens it again. */
function thenOf(step: BulkStep, before: BulkThen | undefined, keepsMore: boolean): BulkThen | undefined {
  const call = step.then === undefined ? before?.call : callOf(step.then);
  if (call === undefined) return undefined;
  return { call, ended: step.isLast === true, concluded: !keepsMore && before?.concluded === true };
}

const callOf = ({ class: className, method, args }: Draft): Call => ({
  method,
  args,
  ...(className !== undefined && { class: className }),
});

/** What the next state of a bulk is made of. */
interface NextStep {
  readonly seen: SeenBulk | undefined;
  readonly epoch: string;
  readonly series: Series;
  readonly parcels: readonly Parcel[];
  /** Those of them that are there. */
  readonly added: readonly Parcel[];
  readonly place: string;
}
