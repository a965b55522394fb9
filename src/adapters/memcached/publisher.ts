import { MemqError } from "../../errors.ts";
import type { Published } from "../../ports/broker.ts";
import { MAX_BATCH } from "../../ports/broker.ts";
import type { Draft } from "../../task/task.ts";
import { bundlesOf, isPlain } from "./bundles.ts";
import type { Encoded } from "./bundles.ts";
import type { Seen } from "./control-store.ts";
import type { Delayed } from "./delayed.ts";
import { againText } from "./entries.ts";
import type { Kept, KeyedPublisher } from "./keyed-publisher.ts";
import { Ids } from "./names.ts";
import {
  addingParcel,
  answersOf,
  encodeDrafts,
  entryOf,
  full,
  namesOf,
  parcelOf,
  refusalOf,
  takeBack,
} from "./parcels.ts";
import type { Parcel } from "./parcels.ts";
import type { Parts } from "./parts.ts";
import type { Known } from "./session.ts";
import type { Answer, Operation } from "./wire.ts";
import type { WaitingList } from "./waiting-list.ts";

// A publisher whose block is older may append behind a list that others have begun since.
const FRESH_MS = 1_000;
// A queue that is lost again and again while it is published to is not there.
const MOST_EPOCHS = 5;

/** Keeps drafts: first the records, then their names in a list, then a look whether the list still counts. */
export class Publisher {
  readonly #parts: Parts;
  readonly #waiting: WaitingList;
  readonly #delayed: Delayed;
  readonly #keyed: KeyedPublisher;
  readonly #bundle: () => Promise<number>;
  readonly #ids: Ids;

  constructor(
    parts: Parts,
    tools: {
      readonly waiting: WaitingList;
      readonly delayed: Delayed;
      readonly keyed: KeyedPublisher;
      /** Most tasks in one record. */
      readonly bundle: () => Promise<number>;
    },
  ) {
    this.#parts = parts;
    this.#waiting = tools.waiting;
    this.#delayed = tools.delayed;
    this.#keyed = tools.keyed;
    this.#bundle = tools.bundle;
    this.#ids = new Ids(parts.random);
  }

  async publish(drafts: readonly Draft[]): Promise<readonly Published[]> {
    if (drafts.length > MAX_BATCH) throw tooMany(drafts.length);
    const answers: Published[] = [];
    const encoded = await encodeDrafts(this.#parts, drafts, answers);
    if (encoded.length === 0) return answers;
    for (let epochs = 0; epochs < MOST_EPOCHS; epochs++) {
      const kept = await this.#keep(encoded);
      if (kept === "gone") continue;
      for (const [place, answer] of kept) answers[place] = answer;
      return answers;
    }
    throw new MemqError(
      "BROKER_UNREACHABLE",
      `queue "${this.#parts.queue}" on memcached at ${this.#parts.session.wire.server} is lost again and again`,
    );
  }

  async #seen(): Promise<Seen> {
    const { control, clock } = this.#parts;
    const { latest } = control;
    const age = latest === undefined ? Infinity : clock.now() - latest.at;
    return latest !== undefined && age >= 0 && age < FRESH_MS ? latest : control.readOrBegin();
  }

  /** One pass over a batch; "gone": the queue was lost meanwhile, nothing of it counts. */
  async #keep(encoded: readonly Encoded[]): Promise<ReadonlyMap<number, Published> | "gone"> {
    const seen = await this.#seen();
    const groups = bundlesOf(encoded, encoded.length > 1 ? await this.#bundle() : 1);
    if (encoded.every(isPlain))
      return this.#keepPlain(
        seen,
        groups.map((group) => this.#parcel(group)),
      );
    return this.#keepMixed(seen, groups);
  }

  /** Records, names and look in one round trip. */
  async #keepPlain(seen: Seen, parcels: readonly Parcel[]): Promise<ReadonlyMap<number, Published> | "gone"> {
    const { session, control } = this.#parts;
    const { epoch } = seen.control;
    const entries = parcels.map(entryOf);
    const answers = await session.ask([
      ...parcels.map((parcel) => this.#adding(epoch, parcel)),
      this.#waiting.appending(seen, entries),
      control.look,
    ]);
    const [appended, looked] = answers.slice(parcels.length);
    const added = await this.#added(epoch, parcels, answers);
    const now = await control.take(looked);
    if (now?.control.epoch !== epoch) return "gone";
    const kept = parcels.filter((_, at) => added[at]?.kind === "ok");
    const listed = await this.#listed(seen, entries, appended);
    if (listed === "gone") return "gone";
    if (listed === "full") {
      await takeBack(this.#parts, epoch, namesOf(kept));
      return answersOf(parcels.map((parcel) => [parcel, full(this.#parts)]));
    }
    const refused = entries.filter((_, at) => added[at]?.kind !== "ok");
    if (refused.length > 0) await this.#waiting.strike(seen, refused);
    return answersOf(parcels.map((parcel, at) => [parcel, this.#refusal(added[at])]));
  }

  /** Answers to adding records; what was not answered is added again, and is there then. */
  async #added(
    epoch: string,
    parcels: readonly Parcel[],
    answers: readonly Answer[],
  ): Promise<readonly Answer[]> {
    const open = parcels.filter((_, at) => answers[at]?.kind === "unknown");
    if (open.length === 0) return answers;
    const again = await this.#parts.session.surely(open.map((parcel) => this.#adding(epoch, parcel)));
    const known = new Map(open.map((parcel, at) => [parcel, again[at]?.answer]));
    return parcels.map((parcel, at) => {
      const answer = known.get(parcel) ?? answers[at] ?? { kind: "unknown" };
      return answer.kind === "exists" ? { kind: "ok", cas: 0n } : answer;
    });
  }

  async #listed(
    seen: Seen,
    entries: readonly string[],
    answer: Answer | undefined,
  ): Promise<"kept" | "gone" | "full"> {
    const { epoch } = seen.control;
    const first = await this.#waiting.appended(seen, entries, answer);
    if (first !== "again") return first;
    // It may have been appended after all: names that stand twice say so.
    const repeated = answer?.kind === "unknown" ? entries.map(againText) : entries;
    const listed = await this.#waiting.append(epoch, repeated);
    if (listed !== "kept") return listed;
    const now = await this.#parts.control.read();
    return now?.control.epoch === epoch ? "kept" : "gone";
  }

  /** In two steps: keys may be taken, and what is delayed goes to its bucket. */
  async #keepMixed(
    seen: Seen,
    groups: readonly (readonly Encoded[])[],
  ): Promise<ReadonlyMap<number, Published> | "gone"> {
    const { epoch } = seen.control;
    const wanted = groups.map((group) => this.#wanted(epoch, group));
    const added = await this.#parts.session.surely(wanted.map(({ adding }) => adding));
    const answers = new Map<number, Published>();
    const listing: Kept[] = [];
    for (const [at, { keep }] of wanted.entries()) {
      const kept = await keep(added[at]?.answer ?? { kind: "full" });
      if (kept === "gone") return "gone";
      for (const [place, answer] of kept.answers) answers.set(place, answer);
      listing.push(kept);
    }
    const listed = await this.#listMixed(epoch, listing);
    if (listed === "gone") return "gone";
    for (const [place, answer] of await this.#refuse(epoch, listed.unlisted)) answers.set(place, answer);
    return answers;
  }

  /** The operation that adds the record of a group, and what to make of its answer. */
  #wanted(epoch: string, group: readonly Encoded[]): Wanted {
    const [first] = group;
    if (first?.draft.key !== undefined) {
      const wish = this.#keyed.wish(epoch, first);
      return { adding: this.#keyed.adding(wish), keep: (answer) => this.#keyed.add(wish, answer) };
    }
    const parcel = this.#parcel(group);
    return {
      adding: this.#adding(epoch, parcel),
      keep: (answer) => Promise.resolve(this.#keptParcel(parcel, answer)),
    };
  }

  /** @returns those for whose names there was no memory */
  async #listMixed(
    epoch: string,
    kept: readonly Kept[],
  ): Promise<{ readonly unlisted: readonly Kept[] } | "gone"> {
    const listing = kept.filter(({ entry }) => entry !== undefined);
    const timed = listing.filter(({ due }) => due > 0);
    const direct = listing.filter(({ due }) => due === 0);
    const indexed = await this.#delayed.add(
      epoch,
      timed.map(({ name, due }) => ({ name, due, parked: false })),
    );
    const appended = await this.#waiting.append(
      epoch,
      direct.flatMap(({ entry }) => entry ?? []),
    );
    if (indexed === "gone" || appended === "gone") return "gone";
    const now = await this.#parts.control.read();
    if (now?.control.epoch !== epoch) return "gone";
    return { unlisted: [...(indexed === "full" ? timed : []), ...(appended === "full" ? direct : [])] };
  }

  // Some may be listed all the same: their names lead to nothing then.
  async #refuse(epoch: string, kept: readonly Kept[]): Promise<ReadonlyMap<number, Published>> {
    const { session, keys } = this.#parts;
    const own = kept.filter(({ unlisted }) => unlisted === undefined);
    await session.ask(own.map(({ name }) => ({ kind: "delete", key: keys.record(epoch, name) })));
    const answers = new Map<number, Published>();
    for (const { unlisted, ...one } of kept) {
      const answer = unlisted === undefined ? full(this.#parts) : await unlisted();
      for (const place of one.answers.keys()) answers.set(place, answer);
    }
    return answers;
  }

  #keptParcel(parcel: Parcel, answer: Known): Kept {
    const refusal = answer.kind === "exists" ? undefined : this.#refusal(answer);
    const answers = answersOf([[parcel, refusal]]);
    const { name } = parcel;
    const due = parcel.drafts[0]?.due ?? 0;
    return { answers, name, due, ...(refusal === undefined && { entry: entryOf(parcel) }) };
  }

  #parcel(drafts: readonly Encoded[]): Parcel {
    return parcelOf(this.#parts, this.#ids.next(), drafts);
  }

  #adding(epoch: string, parcel: Parcel): Operation {
    return addingParcel(this.#parts, epoch, parcel);
  }

  #refusal(answer: Answer | undefined): Published | undefined {
    return refusalOf(this.#parts, answer);
  }
}

/** A record that is to be added. */
interface Wanted {
  readonly adding: Operation;
  readonly keep: (answer: Known) => Promise<Kept | "gone">;
}

const tooMany = (count: number): MemqError =>
  new MemqError("BUG", `publish of ${String(count)} tasks in one call, the most is ${String(MAX_BATCH)}`);
