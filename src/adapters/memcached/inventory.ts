import { countBuckets } from "./bucket-count.ts";
import { unclaimedFrom } from "./control.ts";
import type { Control, ListRef } from "./control.ts";
import type { Delayed } from "./delayed.ts";
import { countTasks, parseEntry } from "./entries.ts";
import type { Parts } from "./parts.ts";

/** What the lists of a queue name, without the records themselves. */
export interface Inventory {
  /** Names of records, each once; undefined: too many to be worth reading. */
  readonly names: readonly string[] | undefined;
  /** Tasks in the waiting lists, handed back, or fallen due; doubled, cancelled and settled ones included. */
  readonly waiting: number;
  readonly delayed: number;
  readonly running: number;
  readonly dead: number;
  /** The first name in the waiting lists. */
  readonly first?: string;
  /** Second of the server's time. */
  readonly nextDue?: number;
}

// Up to here every record is read, and counts are exact.
const MOST_EXACT = 512;

/** Counts what the lists name: the first and the last list and the buckets are read, whatever the queue's length. */
export async function takeInventory(parts: Parts, delayed: Delayed, control: Control): Promise<Inventory> {
  const [lists, buckets] = await Promise.all([
    readLists(parts, control),
    countBuckets(delayed, control, parts.time.now()),
  ]);
  const staked = stakedTexts(control);
  const counts = {
    waiting: lists.waitingTasks + countOf(staked.free) + buckets.due,
    delayed: buckets.later,
    running: countOf(staked.running),
    dead: lists.deadTasks,
  };
  const total = counts.waiting + counts.delayed + counts.running + counts.dead;
  const texts = [...staked.free, ...staked.running, ...lists.texts];
  const [first] = [...staked.free, ...lists.texts].flatMap(nameIn);
  const timed = lists.isWhole && total <= MOST_EXACT ? buckets.names : undefined;
  return {
    ...counts,
    names: timed && [...new Set([...texts.flatMap(nameIn), ...timed])],
    ...(first !== undefined && { first }),
    ...(buckets.nextDue !== undefined && { nextDue: buckets.nextDue }),
  };
}

const nameIn = (text: string): readonly string[] => {
  const entry = parseEntry(text);
  return entry === undefined ? [] : [entry.name];
};

/** What the waiting and the dead lists say. */
interface ReadLists {
  readonly waitingTasks: number;
  readonly deadTasks: number;
  /** Entries of the lists that were read, the waiting ones first. */
  readonly texts: readonly string[];
  /** Every list was read. */
  readonly isWhole: boolean;
}

async function readLists(parts: Parts, { epoch, lists, deadLists, offset }: Control): Promise<ReadLists> {
  const read = async (refs: readonly (ListRef | undefined)[]): Promise<readonly string[]> => {
    const items = await parts.session.getAll(refs.map((ref) => parts.keys.list(epoch, ref?.name ?? "")));
    return items.map((item) => item?.value.toString("latin1") ?? "");
  };
  const others = lists.length > 1 ? [lists.at(-1)] : [];
  const [head = "", dead = "", last = ""] = await read([lists[0], deadLists.at(-1), ...others]);
  const isWhole = lists.length <= 2 && deadLists.length === 1;
  const waiting = head.slice(unclaimedFrom({ offset }, head.length)) + last;
  return {
    waitingTasks: countTasks(waiting) + tasksIn(lists.slice(1, -1)),
    deadTasks: countTasks(dead) + tasksIn(deadLists.slice(0, -1)),
    // For the first name alone there is no need to take a long list apart.
    texts: isWhole ? `${waiting}${dead}`.split(",") : waiting.slice(0, MOST_ENTRY_CHARS).split(",", 1),
    isWhole,
  };
}

const MOST_ENTRY_CHARS = 100;

function stakedTexts(control: Control): {
  readonly free: readonly string[];
  readonly running: readonly string[];
} {
  const free: string[] = [];
  const running: string[] = [];
  for (const stake of control.stakes) {
    if (stake.kind === "putBack") free.push(...stake.entries);
    if (stake.kind === "tasks") (stake.owner === "" ? free : running).push(...stake.entries.filter(Boolean));
  }
  return { free, running };
}

const countOf = (texts: readonly string[]): number =>
  texts.reduce((sum, text) => sum + (parseEntry(text)?.members ?? 0), 0);

/** Tasks in lists, as they were counted when the next one was begun. */
const tasksIn = (lists: readonly ListRef[]): number => lists.reduce((sum, { tasks }) => sum + tasks, 0);
