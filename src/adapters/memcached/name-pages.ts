import type { TaskState } from "../../task/task.ts";
import { bucketOf } from "./bucket.ts";
import type { Bucket, BucketEntry } from "./bucket.ts";
import { entriesOf, unclaimedFrom } from "./control.ts";
import type { Control, ListRef, SweepStake } from "./control.ts";
import type { Delayed, Stretch } from "./delayed.ts";
import { parseEntry, stretchOf } from "./entries.ts";
import type { Parts } from "./parts.ts";

/** A name that was listed, and where to go on behind it. */
export interface Named {
  readonly name: string;
  readonly cursor: string;
  /** Of a delayed one: the second that its bucket says. */
  readonly due?: number;
}

// Names that are read at a time: many may be cancelled, doubled or settled by now.
const NAMES_AT_ONCE = 256;
const MOST_BUCKETS = 2_880; // two days, if every minute has one
const BUCKETS_AT_ONCE = 8; // most pages are full by then
const LISTS_AT_ONCE = 128; // of some KB each

/** A waiting list, and how much of it is over, in bytes. */
interface PassedList extends Pick<Control, "offset"> {
  readonly name: string;
  /** By a cursor. */
  readonly passed: number;
}

/**
 * The names that stand in the lists of a state, some at a time. A cursor is a place, not a count: it stays right
 * while tasks come and go. `s` in a stake, `l` in a list, `b` in a bucket.
 */
export class NamePages {
  readonly #parts: Parts;
  readonly #delayed: Delayed;

  constructor(parts: Parts, delayed: Delayed) {
    this.#parts = parts;
    this.#delayed = delayed;
  }

  /** The next names behind a cursor; none: there are no more. */
  async next(control: Control, state: TaskState, after: string): Promise<readonly Named[]> {
    switch (state) {
      case "waiting":
        return this.#waiting(control, after);
      case "delayed":
        return this.#inBuckets(control, after, isLater);
      case "running":
        return inStakes(control, after, (owner) => owner !== "");
      case "dead":
        return this.#inLists(control, { lists: control.deadLists, offset: 0 }, after);
    }
  }

  /** What was handed back first, then the lists, then what has fallen due and is not listed yet. */
  async #waiting(control: Control, after: string): Promise<readonly Named[]> {
    if (after === "" || after.startsWith("s")) {
      const staked = inStakes(control, after, (owner) => owner === "");
      if (staked.length > 0) return staked;
    }
    if (!after.startsWith("b")) {
      const listed = await this.#inLists(control, control, after);
      if (listed.length > 0) return listed;
    }
    return this.#inBuckets(control, after, isDue);
  }

  async #inLists(
    control: Control,
    { lists, offset }: { readonly lists: readonly ListRef[]; readonly offset: number },
    after: string,
  ): Promise<readonly Named[]> {
    const [, cursorName = "", cursorAt = "0"] = after.startsWith("l") ? after.split(":") : [];
    // A list that is gone was used up: all that is there comes behind it.
    const first = Math.max(
      0,
      lists.findIndex(({ name }) => name === cursorName),
    );
    const placed = lists.map(({ name }, index) => ({
      name,
      offset: index === 0 ? offset : 0,
      passed: name === cursorName ? Number(cursorAt) : 0,
    }));
    // Most often the first has more than enough; the more are empty, the more are read at a time.
    let from = first;
    for (let count = 1; from < lists.length; count = Math.min(2 * count, LISTS_AT_ONCE)) {
      const named = await this.#inFirst(control, placed.slice(from, from + count));
      if (named.length > 0) return named;
      from += count;
    }
    return [];
  }

  /** The next names of the first of some lists that has any, read in one round trip. */
  async #inFirst({ epoch }: Control, lists: readonly PassedList[]): Promise<readonly Named[]> {
    const { session, keys } = this.#parts;
    const items = await session.getAll(lists.map(({ name }) => keys.list(epoch, name)));
    for (const [index, { name, offset, passed }] of lists.entries()) {
      const text = items[index]?.value.toString("latin1") ?? "";
      const named = namesIn(text, Math.max(unclaimedFrom({ offset }, text.length), passed), name);
      if (named.length > 0) return named;
    }
    return [];
  }

  async #inBuckets(control: Control, after: string, isWanted: Wanted): Promise<readonly Named[]> {
    const cursor = dueCursor(after);
    const now = this.#parts.time.now();
    const named: Named[] = [];
    for await (const stretch of this.#stretches(control, cursor)) {
      const placed = stretch.part === undefined ? placesByName(stretch) : placesInPart(stretch);
      const begin = stretch.part === undefined || stretch.part !== cursor.part ? 0 : cursor.at;
      const wanted = placed.slice(begin).filter(({ entry }) => isWanted(entry, now));
      // A page that is full goes on in the middle of a part, never in the middle of its bucket's own names.
      const most = stretch.part === undefined ? Infinity : NAMES_AT_ONCE - named.length;
      named.push(...wanted.slice(0, most).map(({ entry, text }) => ({ ...entry, cursor: text })));
      if (named.length >= NAMES_AT_ONCE) break;
    }
    return named;
  }

  /** What stands in buckets and is not released, from the second of a cursor on. */
  async *#stretches(control: Control, cursor: DueCursor): AsyncGenerator<Stretch> {
    const { epoch, sweptTo } = control;
    const sweeps = control.stakes.filter((stake): stake is SweepStake => stake.kind === "sweep");
    const isLive = (second: number): boolean =>
      second >= cursor.due &&
      (second > sweptTo || sweeps.some((sweep) => second > sweep.from && second <= sweep.to));
    const from = sweeps.reduce((least, sweep) => Math.min(least, sweep.from), sweptTo) + 1;
    const minutes = await this.#delayed.minutes(epoch, bucketOf(Math.max(from, cursor.due)));
    for (let at = 0; at < Math.min(minutes.length, MOST_BUCKETS); at += BUCKETS_AT_ONCE) {
      for (const bucket of await this.#delayed.read(epoch, minutes.slice(at, at + BUCKETS_AT_ONCE))) {
        yield* this.#delayed.stretches(epoch, behind(bucket, cursor), isLive);
      }
    }
  }
}

type Wanted = (entry: BucketEntry, now: number) => boolean;
const isLater: Wanted = ({ due, parked }, now) => due > now && !parked;
const isDue: Wanted = ({ due, parked }, now) => due <= now || parked;

/** Behind which delayed task to go on: `b:due:name`, or `b:due:>part:entries`. */
interface DueCursor {
  readonly due: number;
  readonly name: string;
  readonly part?: string;
  /** Entries of the part that were passed. */
  readonly at: number;
}

function dueCursor(after: string): DueCursor {
  const [, due = "0", name = "", at = "0"] = after.startsWith("b") ? after.split(":") : [];
  const part = name.startsWith(">") ? name.slice(1) : undefined;
  return { due: Number(due), name: part === undefined ? name : "", at: Number(at), ...(part && { part }) };
}

/** A bucket without what a cursor has passed; of the part that it stands in, all is left. */
function behind(bucket: Bucket, cursor: DueCursor): Bucket {
  const { due, name, part } = cursor;
  const here = bucket.parts.filter(({ second }) => second === due).map((one) => one.part);
  const passed = part === undefined ? [] : here.slice(0, Math.max(0, here.indexOf(part)));
  return {
    ...bucket,
    entries: bucket.entries.filter((one) => one.due !== due || (part === undefined && one.name > name)),
    parts: bucket.parts.filter((one) => !passed.includes(one.part)),
  };
}

/** An entry, and the cursor behind it. */
interface Placed {
  readonly entry: BucketEntry;
  readonly text: string;
}

const placesByName = ({ due, entries }: Stretch): readonly Placed[] =>
  [...entries]
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .map((entry) => ({ entry, text: `b:${String(due)}:${entry.name}` }));

const placesInPart = ({ due, part = "", entries }: Stretch): readonly Placed[] =>
  entries.map((entry, at) => ({ entry, text: `b:${String(due)}:>${part}:${String(at + 1)}` }));

function inStakes(control: Control, after: string, isWanted: (owner: string) => boolean): readonly Named[] {
  const all = control.stakes.flatMap((stake) => {
    if (!isWanted(stake.kind === "putBack" ? "" : stake.owner)) return [];
    return entriesOf(stake).map((text, index) => ({
      name: parseEntry(text)?.name ?? "",
      cursor: `s:${stake.id}:${String(index)}`,
    }));
  });
  const at = after === "" ? 0 : all.findIndex(({ cursor }) => cursor === after) + 1;
  if (at === 0 && after !== "") return [];
  return all.slice(at, at + NAMES_AT_ONCE).filter(({ name }) => name !== "");
}

function namesIn(list: string, from: number, listName: string): readonly Named[] {
  const { entries } = stretchOf(list, from, { tasks: Infinity, most: NAMES_AT_ONCE });
  return entries.map(({ name, end }) => ({ name, cursor: `l:${listName}:${String(end)}` }));
}
