import type { TaskState } from "../../task/task.ts";
import type { Control, ListRef, SweepStake } from "./control.ts";
import type { Delayed } from "./delayed.ts";
import { bucketOf, parseEntry, stretchOf } from "./entries.ts";
import type { BucketEntry } from "./entries.ts";
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
    for (const [index, { name }] of lists.entries()) {
      const from = Math.max(index === 0 ? offset : 0, name === cursorName ? Number(cursorAt) : 0);
      const named = index < first ? [] : await this.#inList(control, name, from);
      if (named.length > 0) return named;
    }
    return [];
  }

  async #inList({ epoch }: Control, name: string, from: number): Promise<readonly Named[]> {
    const item = await this.#parts.session.get(this.#parts.keys.list(epoch, name));
    return namesIn(item?.value.toString("latin1") ?? "", from, name);
  }

  async #inBuckets(control: Control, after: string, isWanted: Wanted): Promise<readonly Named[]> {
    const [, cursorDue = "0", cursorName = ""] = after.startsWith("b") ? after.split(":") : [];
    const sweeps = control.stakes.filter((stake): stake is SweepStake => stake.kind === "sweep");
    const from = sweeps.reduce((least, sweep) => Math.min(least, sweep.from), control.sweptTo) + 1;
    const first = bucketOf(Math.max(from, Number(cursorDue)));
    const minutes = (await this.#delayed.minutes(control.epoch, first)).slice(0, MOST_BUCKETS);
    const now = this.#parts.time.now();
    const named: Named[] = [];
    for (const entries of await this.#delayed.read(control.epoch, minutes)) {
      const live = entries
        .filter((entry) => isWanted(entry, now) && isBehind(entry, Number(cursorDue), cursorName))
        .filter(
          ({ due }) => due > control.sweptTo || sweeps.some((sweep) => due > sweep.from && due <= sweep.to),
        )
        .sort((a, b) => a.due - b.due || (a.name < b.name ? -1 : 1));
      named.push(...live.map(({ name, due }) => ({ name, due, cursor: `b:${String(due)}:${name}` })));
      if (named.length >= NAMES_AT_ONCE) break;
    }
    return named;
  }
}

type Wanted = (entry: BucketEntry, now: number) => boolean;
const isLater: Wanted = ({ due, parked }, now) => due > now && !parked;
const isDue: Wanted = ({ due, parked }, now) => due <= now || parked;

const isBehind = ({ due, name }: BucketEntry, cursorDue: number, cursorName: string): boolean =>
  due > cursorDue || (due === cursorDue && name > cursorName);

function inStakes(control: Control, after: string, isWanted: (owner: string) => boolean): readonly Named[] {
  const all = control.stakes.flatMap((stake) => {
    if (stake.kind === "sweep" || !isWanted(stake.kind === "putBack" ? "" : stake.owner)) return [];
    return stake.entries.map((text, index) => ({
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
