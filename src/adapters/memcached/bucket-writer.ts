import { bucketEntries, bucketOf, bucketPartText, bucketText, readBucket } from "./bucket.ts";
import type { BucketEntry } from "./bucket.ts";
import { NAME_LETTERS } from "./control-store.ts";
import type { Parts } from "./parts.ts";
import { itemOf } from "./session.ts";
import { listText } from "./waiting-list.ts";
import type { Operation } from "./wire.ts";

// Minutes that are remembered; a process that publishes for more than that asks again.
const MOST_KNOWN = 5_000;

/** A part that is appended to, as far as this process knows. */
interface PartTail {
  readonly name: string;
  /** Undefined: not known yet. */
  bytes: number | undefined;
}

/** Where the entries of one minute go. */
interface Tail {
  readonly minute: number;
  /** Of the bucket itself. */
  bytes: number;
  /** The last part of each second. */
  readonly parts: Map<number, PartTail>;
}

/** Entries on their way into an item. */
interface Load {
  readonly tail: Tail;
  /** Undefined: the bucket itself. */
  readonly part?: PartTail;
  readonly second: number;
  readonly entries: BucketEntry[];
}

/**
 * Appends to the buckets of delayed tasks. A bucket that is full goes on in parts, one or more for each second, each
 * named in the bucket before anything is in it: whoever reads the bucket and then its parts misses nothing that
 * had been appended before.
 */
export class BucketWriter {
  readonly #parts: Parts;
  #epoch = "";
  readonly #tails = new Map<number, Tail>();

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** All in a few round trips, however many minutes there are. "full": some may stand there all the same. */
  async append(epoch: string, entries: readonly BucketEntry[]): Promise<"kept" | "full"> {
    if (this.#epoch !== epoch || this.#tails.size > MOST_KNOWN) this.#tails.clear();
    this.#epoch = epoch;
    const patience = this.#parts.session.patience();
    let open = entries;
    for (let refused = 0; refused < 2;) {
      const tried = await this.#try(open);
      if (tried === "full" || tried === "kept") return tried;
      if (tried !== "again") {
        // The same answer is given for "not there" and "no memory".
        if (await this.#isAnyThere(tried)) refused += 1;
        open = tried.flatMap((load) => load.entries);
      }
      await patience.again();
    }
    return "full";
  }

  /** @returns what was refused, if anything was */
  async #try(entries: readonly BucketEntry[]): Promise<readonly Load[] | "kept" | "full" | "again"> {
    const loads = await this.#prepare(entries);
    if (loads === "full" || loads === "again") return loads;
    const refused = await this.#send(loads);
    return refused.length === 0 ? "kept" : refused;
  }

  /** The parts of a minute that this process has appended to. */
  known(minute: number): readonly string[] {
    return [...(this.#tails.get(minute)?.parts.values() ?? [])].map(({ name }) => name);
  }

  /** Knows nothing of a minute any more. */
  forget(minute: number): void {
    this.#tails.delete(minute);
  }

  async #prepare(entries: readonly BucketEntry[]): Promise<readonly Load[] | "full" | "again"> {
    const minutes = [...new Set(entries.map(({ due }) => bucketOf(due)))];
    if ((await this.#learn(minutes.filter((minute) => !this.#tails.has(minute)))) === "full") return "full";
    const loads = this.#loads(entries);
    const full = loads.filter(({ tail, part }) => part === undefined && this.#isFull(tail.bytes));
    await this.#measure(loads);
    const ended = loads.filter(({ part }) => part !== undefined && this.#isFull(part.bytes ?? Infinity));
    const grown = await this.#grow([...full, ...ended]);
    return grown === "grown" ? this.#loads(entries) : grown;
  }

  /** Reads buckets; begins those that are not there. */
  async #learn(minutes: readonly number[]): Promise<"known" | "full"> {
    const { session, keys } = this.#parts;
    const items = await session.getAll(minutes.map((minute) => keys.bucket(this.#epoch, minute)));
    const missing = minutes.filter((_, at) => items[at] === undefined);
    if (missing.length > 0 && (await this.#begin(missing)) === "full") return "full";
    for (const [at, minute] of minutes.entries()) {
      const text = items[at]?.value.toString("latin1") ?? "";
      const parts = new Map<number, PartTail>();
      for (const { part, second, count } of readBucket(minute, text).parts) {
        if (count === undefined) parts.set(second, { name: part, bytes: undefined });
      }
      this.#tails.set(minute, { minute, bytes: text.length, parts });
    }
    return "known";
  }

  // The minutes first: a bucket nobody knows of would be released late, and not be listed.
  async #begin(minutes: readonly number[]): Promise<"begun" | "full"> {
    const { session, keys } = this.#parts;
    if ((await this.#note(minutes)) === "full") return "full";
    const added = await session.surely(
      minutes.map((minute): Operation => ({ kind: "add", key: keys.bucket(this.#epoch, minute), value: "" })),
    );
    return added.some(({ answer }) => answer.kind === "full") ? "full" : "begun";
  }

  async #note(minutes: readonly number[]): Promise<"noted" | "full"> {
    const { session, keys } = this.#parts;
    const key = keys.minutes(this.#epoch);
    const note: Operation = { kind: "append", key, value: listText(minutes.map(String)) };
    if ((await session.sure(note)).answer.kind === "ok") return "noted";
    const [, again] = await session.surely([{ kind: "add", key, value: "" }, note]);
    return again?.answer.kind === "ok" ? "noted" : "full";
  }

  /** Which entries go together, by what is known. */
  #loads(entries: readonly BucketEntry[]): readonly Load[] {
    const loads = new Map<string, Load>();
    for (const entry of entries) {
      const tail = this.#tails.get(bucketOf(entry.due));
      if (tail === undefined) continue; // it was learned just before
      const isFull = this.#isFull(tail.bytes);
      const place = isFull ? `@${String(entry.due)}` : String(tail.minute);
      const load = loads.get(place);
      if (load !== undefined) load.entries.push(entry);
      else {
        const part = isFull ? tail.parts.get(entry.due) : undefined;
        loads.set(place, { tail, second: entry.due, entries: [entry], ...(part && { part }) });
      }
    }
    return [...loads.values()];
  }

  async #measure(loads: readonly Load[]): Promise<void> {
    const unknown = loads.filter(({ part }) => part !== undefined && part.bytes === undefined);
    const items = await this.#parts.session.getAll(unknown.map((load) => this.#key(load)));
    for (const [at, { part }] of unknown.entries()) {
      if (part !== undefined) part.bytes = items[at]?.value.length; // gone: then another is begun
    }
  }

  /** Begins parts; those before them are named once more, with the count of their entries. */
  async #grow(loads: readonly Load[]): Promise<"grown" | "full" | "again"> {
    if (loads.length === 0) return "grown";
    const { session, random } = this.#parts;
    const fresh = loads.map((): PartTail => ({ name: random(NAME_LETTERS), bytes: 0 }));
    const sure = await session.surely([
      ...loads.map((load, at) => ({ kind: "add", key: this.#key(load, fresh[at]), value: "" }) as const),
      ...loads.map((load) => ({ kind: "get", key: this.#key(load) }) as const),
    ]);
    if (sure.slice(0, loads.length).some(({ answer }) => answer.kind === "full")) return "full";
    const named = await session.surely(
      loads.map((load, at): Operation => {
        const before = itemOf(sure[loads.length + at]?.answer);
        const value = listText(namesOf(load, fresh[at]?.name ?? "", before?.value.toString("latin1")));
        return { kind: "append", key: this.#bucketKey(load), value };
      }),
    );
    for (const [at, { tail, second }] of loads.entries()) {
      const part = fresh[at];
      if (part !== undefined && named[at]?.answer.kind === "ok") tail.parts.set(second, part);
      else this.forget(tail.minute);
    }
    if (named.every(({ answer }) => answer.kind === "ok")) return "grown";
    const isThere = await session.getAll(loads.map((load) => this.#bucketKey(load)));
    return isThere.some((item, at) => item !== undefined && named[at]?.answer.kind !== "ok")
      ? "full"
      : "again";
  }

  /** @returns what was refused */
  async #send(loads: readonly Load[]): Promise<readonly Load[]> {
    const texts = loads.map((load) => listText(load.entries.map(bucketText)));
    // Repeated when unanswered: an entry that stands twice is harmless.
    const sure = await this.#parts.session.surely(
      loads.map((load, at) => ({ kind: "append", key: this.#key(load), value: texts[at] ?? "" }) as const),
    );
    for (const [at, { part, tail }] of loads.entries()) {
      const bytes = texts[at]?.length ?? 0;
      if (sure[at]?.answer.kind !== "ok") this.forget(tail.minute);
      else if (part !== undefined) part.bytes = (part.bytes ?? 0) + bytes;
      else tail.bytes += bytes;
    }
    return loads.filter((_, at) => sure[at]?.answer.kind !== "ok");
  }

  async #isAnyThere(loads: readonly Load[]): Promise<boolean> {
    const items = await this.#parts.session.getAll(loads.map((load) => this.#key(load)));
    return items.some((item) => item !== undefined);
  }

  #isFull(bytes: number): boolean {
    return bytes >= this.#parts.limits.bucketBytes;
  }

  #key(load: Load, part = load.part): string {
    const { keys } = this.#parts;
    if (part === undefined) return this.#bucketKey(load);
    return keys.bucketPart(this.#epoch, load.tail.minute, part.name);
  }

  #bucketKey({ tail }: Load): string {
    return this.#parts.keys.bucket(this.#epoch, tail.minute);
  }
}

/** What a bucket says when a part is begun; `before`: what stands in the one that it follows. */
function namesOf({ part, second }: Load, fresh: string, before: string | undefined): readonly string[] {
  const next = bucketPartText({ part: fresh, second });
  if (part === undefined) return [next];
  return [bucketPartText({ part: part.name, second, count: bucketEntries(before ?? "").length }), next];
}
