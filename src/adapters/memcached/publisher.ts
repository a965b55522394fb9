import { MemqError } from "../../errors.ts";
import type { Published } from "../../ports/broker.ts";
import { MAX_BATCH } from "../../ports/broker.ts";
import type { Draft } from "../../task/task.ts";
import { bundlesOf, isPlain, MOST_BUNDLED } from "./bundles.ts";
import type { Encoded } from "./bundles.ts";
import type { Seen } from "./control-store.ts";
import type { Delayed } from "./delayed.ts";
import { againText, entryText } from "./entries.ts";
import type { Kept, KeyedPublisher } from "./keyed-publisher.ts";
import { Ids, memberId } from "./names.ts";
import type { Parts } from "./parts.ts";
import { encodeRecord, freshText } from "./record.ts";
import type { StoredRecord } from "./record.ts";
import type { Known } from "./session.ts";
import type { Answer, Operation } from "./wire.ts";
import type { WaitingList } from "./waiting-list.ts";

// A publisher whose block is older may append behind a list that others have begun since.
const FRESH_MS = 1_000;
// A queue that is lost again and again while it is published to is not there.
const MOST_EPOCHS = 5;

/** Drafts that share a record of their own, and what became of it. */
interface Parcel {
  readonly drafts: readonly Encoded[];
  readonly name: string;
  readonly value: string;
}

/** Keeps drafts: first the records, then their names in a list, then a look whether the list still counts. */
export class Publisher {
  readonly #parts: Parts;
  readonly #waiting: WaitingList;
  readonly #delayed: Delayed;
  readonly #keyed: KeyedPublisher;
  readonly #bundle: number;
  readonly #ids: Ids;

  constructor(
    parts: Parts,
    tools: {
      readonly waiting: WaitingList;
      readonly delayed: Delayed;
      readonly keyed: KeyedPublisher;
      readonly bundle: number;
    },
  ) {
    this.#parts = parts;
    this.#waiting = tools.waiting;
    this.#delayed = tools.delayed;
    this.#keyed = tools.keyed;
    this.#bundle = Math.max(1, Math.min(tools.bundle, MOST_BUNDLED));
    this.#ids = new Ids(parts.random);
  }

  async publish(drafts: readonly Draft[]): Promise<readonly Published[]> {
    if (drafts.length > MAX_BATCH) throw tooMany(drafts.length);
    const answers: Published[] = [];
    const encoded = await this.#encode(drafts, answers);
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

  async #encode(drafts: readonly Draft[], answers: Published[]): Promise<readonly Encoded[]> {
    const { clock, time, codec } = this.#parts;
    const now = clock.now();
    const isLater = ({ dueAt = 0 }: Draft): boolean => dueAt > now;
    if (drafts.some(isLater)) await time.known();
    return drafts.flatMap((draft, place): Encoded[] => {
      try {
        const due = isLater(draft) ? time.notBefore(draft.dueAt ?? 0) : 0;
        return [{ place, draft, body: codec.encode(draft), due }];
      } catch (error) {
        if (!(error instanceof MemqError)) throw error;
        answers[place] = { kind: "refused", code: error.code, reason: error.message };
        return [];
      }
    });
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
    const groups = bundlesOf(encoded, this.#bundle);
    if (encoded.every(isPlain)) return this.#keepPlain(seen, groups.map((group) => this.#parcel(group)));
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
      await this.#takeBack(epoch, kept);
      return answersOf(parcels.map((parcel) => [parcel, full(this.#parts)]));
    }
    return answersOf(parcels.map((parcel, at) => [parcel, this.#refusal(added[at])]));
  }

  /** Answers to adding records; what was not answered is added again, and is there then. */
  async #added(epoch: string, parcels: readonly Parcel[], answers: readonly Answer[]): Promise<readonly Answer[]> {
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
    return listed === "kept" ? answers : listed;
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

  async #listMixed(epoch: string, kept: readonly Kept[]): Promise<"kept" | "gone"> {
    const entries = kept.flatMap(({ entry, due }) => (entry === undefined || due > 0 ? [] : [entry]));
    const timed = kept.flatMap(({ entry, due, name }) =>
      entry === undefined || due === 0 ? [] : [{ name, due, parked: false }],
    );
    for (const listed of [await this.#delayed.index(epoch, timed), await this.#waiting.append(epoch, entries)]) {
      if (listed === "gone") return "gone";
      // The records stay, unlisted: whether some of them are listed after all cannot be told apart here.
      if (listed === "full") throw new MemqError("QUEUE_FULL", fullReason(this.#parts));
    }
    const now = await this.#parts.control.read();
    return now?.control.epoch === epoch ? "kept" : "gone";
  }

  #keptParcel(parcel: Parcel, answer: Known): Kept {
    const refusal = answer.kind === "exists" ? undefined : this.#refusal(answer);
    const answers = answersOf([[parcel, refusal]]);
    const { name } = parcel;
    const due = parcel.drafts[0]?.due ?? 0;
    return { answers, name, due, ...(refusal === undefined && { entry: entryOf(parcel) }) };
  }

  #parcel(drafts: readonly Encoded[]): Parcel {
    const name = this.#ids.next();
    const { codec, clock } = this.#parts;
    const bornAt = clock.now();
    const [first] = drafts;
    if (first !== undefined && drafts.length === 1 && first.due === 0) {
      return { drafts, name, value: freshText(bornAt, codec.seal(name, first.body)) };
    }
    const bundled = drafts.length > 1;
    const record: StoredRecord = {
      state: "ready",
      bornAt,
      due: first?.due ?? 0,
      marked: (first?.due ?? 0) > 0,
      writer: "",
      listed: false,
      bundled,
      members: drafts.map(({ body }, index) => ({
        text: codec.seal(bundled ? memberId(name, index) : name, body),
        attempts: 0,
      })),
    };
    return { drafts, name, value: encodeRecord(record) };
  }

  #adding(epoch: string, { name, value }: Parcel): Operation {
    return { kind: "add", key: this.#parts.keys.record(epoch, name), value };
  }

  #refusal(answer: Answer | undefined): Published | undefined {
    switch (answer?.kind) {
      case "ok":
        return undefined;
      case "tooLarge":
        return {
          kind: "refused",
          code: "TASK_TOO_LARGE",
          reason: `memcached at ${this.#parts.session.wire.server} takes no item that large (its option -I)`,
        };
      default:
        return full(this.#parts);
    }
  }

  // Nobody lists them, so nobody else knows them.
  async #takeBack(epoch: string, parcels: readonly Parcel[]): Promise<void> {
    await this.#parts.session.ask(
      parcels.map(({ name }) => ({ kind: "delete", key: this.#parts.keys.record(epoch, name) })),
    );
  }
}

/** A record that is to be added. */
interface Wanted {
  readonly adding: Operation;
  readonly keep: (answer: Known) => Promise<Kept | "gone">;
}

const entryOf = ({ name, drafts }: Parcel): string => entryText({ name, members: drafts.length, again: false });

/** One answer for each draft of each parcel: the refusal, or the id it has. */
function answersOf(
  parcels: readonly (readonly [Parcel, Published | undefined])[],
): ReadonlyMap<number, Published> {
  const answers = new Map<number, Published>();
  for (const [{ drafts, name }, refusal] of parcels) {
    for (const [index, { place }] of drafts.entries()) {
      const id = drafts.length > 1 ? memberId(name, index) : name;
      answers.set(place, refusal ?? { kind: "kept", id });
    }
  }
  return answers;
}

const fullReason = ({ session, queue }: Parts): string =>
  `memcached at ${session.wire.server} has no memory for another task of queue "${queue}"`;

/** The answer to a draft for which there is no memory. */
const full = (parts: Parts): Published => ({ kind: "refused", code: "QUEUE_FULL", reason: fullReason(parts) });

const tooMany = (count: number): MemqError =>
  new MemqError("BUG", `publish of ${String(count)} tasks in one call, the most is ${String(MAX_BATCH)}`);
