import type { Control, ListRef, SweepStake } from "./control.ts";
import type { Delayed } from "./delayed.ts";
import { bucketOf, countTasks, parseEntry, stretchOf } from "./entries.ts";
import type { BucketEntry } from "./entries.ts";
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
// Minutes that have a bucket: two days of them. Beyond that the delayed are counted as if none were there.
const MOST_BUCKETS = 2_880;

/** Counts what the lists name: the first and the last list and the buckets are read, whatever the queue's length. */
export async function takeInventory(parts: Parts, delayed: Delayed, control: Control): Promise<Inventory> {
  const now = parts.time.now();
  const [head = "", last = "", dead = ""] = await readLists(parts, control);
  const buckets = await readBuckets(delayed, control, now);
  const staked = stakedTexts(control);
  const isShort = control.lists.length <= 2 && control.deadLists.length === 1;
  const waitingText = head.slice(control.offset) + (control.lists.length > 1 ? last : "");
  const waitingTasks =
    countTasks(head, control.offset) +
    (control.lists.length > 1 ? countTasks(last) + middle(control.lists) : 0);
  const counts = {
    waiting: waitingTasks + countOf(staked.free) + buckets.due.length,
    delayed: buckets.later.length,
    running: countOf(staked.running),
    dead: countTasks(dead) + before(control.deadLists),
  };
  const nextDue = buckets.later[0]?.due;
  const rough = { ...counts, ...(nextDue !== undefined && { nextDue }) };
  const first = staked.free[0] ?? stretchOf(head, control.offset, { tasks: 1, most: 1 }).entries[0]?.text;
  const named = { ...rough, ...(first !== undefined && { first: parseEntry(first)?.name ?? "" }) };
  const total = counts.waiting + counts.delayed + counts.running + counts.dead;
  if (!isShort || total > MOST_EXACT) return { ...named, names: undefined };
  const texts = [...staked.free, ...staked.running, ...waitingText.split(","), ...dead.split(",")];
  const names = texts.flatMap((text) => parseEntry(text)?.name ?? []);
  const timed = [...buckets.due, ...buckets.later].map(({ name }) => name);
  return { ...named, names: [...new Set([...names, ...timed])] };
}

async function readLists(parts: Parts, { epoch, lists, deadLists }: Control): Promise<readonly string[]> {
  const names = [lists[0]?.name, lists.at(-1)?.name, deadLists.at(-1)?.name];
  const items = await parts.session.getAll(names.map((name) => parts.keys.list(epoch, name ?? "")));
  return items.map((item) => item?.value.toString("latin1") ?? "");
}

/** Delayed entries by time: what has fallen due, and what comes later, soonest first. */
async function readBuckets(
  delayed: Delayed,
  control: Control,
  now: number,
): Promise<{ readonly due: readonly BucketEntry[]; readonly later: readonly BucketEntry[] }> {
  const sweeps = control.stakes.filter((stake): stake is SweepStake => stake.kind === "sweep");
  const from = sweeps.reduce((least, sweep) => Math.min(least, sweep.from), control.sweptTo);
  const minutes = (await delayed.minutes(control.epoch, bucketOf(from + 1))).slice(0, MOST_BUCKETS);
  const isLive = ({ due }: BucketEntry): boolean =>
    due > control.sweptTo || sweeps.some((sweep) => due > sweep.from && due <= sweep.to);
  const entries = (await delayed.read(control.epoch, minutes)).flat().filter(isLive);
  const later = entries.filter(({ due, parked }) => due > now && !parked).sort((a, b) => a.due - b.due);
  return { due: entries.filter(({ due, parked }) => due <= now || parked), later };
}

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

/** Tasks in the lists between the first and the last. */
const middle = (lists: readonly ListRef[]): number =>
  lists.slice(1, -1).reduce((sum, { tasks }) => sum + tasks, 0);

/** Tasks in the lists before the last. */
const before = (lists: readonly ListRef[]): number =>
  lists.slice(0, -1).reduce((sum, { tasks }) => sum + tasks, 0);
