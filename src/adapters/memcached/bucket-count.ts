import { bucketOf } from "./bucket.ts";
import type { Bucket, BucketEntry, BucketPart } from "./bucket.ts";
import type { Control, SweepStake } from "./control.ts";
import type { Delayed } from "./delayed.ts";
import { missingOf, tally } from "./delayed-counts.ts";
import type { Counts } from "./delayed-counts.ts";

/** What the buckets of a queue hold. */
export interface BucketCount {
  /** Fallen due, and not in a list yet. */
  readonly due: number;
  readonly later: number;
  /** Second of the server's time of the soonest one that is not due. */
  readonly nextDue?: number;
  /** Undefined: a bucket is full, so there are too many to be named. */
  readonly names: readonly string[] | undefined;
}

// Minutes that have a bucket: two days of them. Beyond that the delayed are counted as if none were there.
const MOST_BUCKETS = 2_880;
// Parts that nobody has counted yet are read, up to some megabytes; more are as long as these on average.
const MOST_PARTS = 64;

/** A part of a bucket, and in which. */
interface OpenPart extends BucketPart {
  readonly minute: number;
}

/** Counts the entries of all buckets; `now`: second of the server's time. */
export async function countBuckets(delayed: Delayed, control: Control, now: number): Promise<BucketCount> {
  const sweeps = control.stakes.filter((stake): stake is SweepStake => stake.kind === "sweep");
  const isLive = (second: number): boolean =>
    second > control.sweptTo || sweeps.some((sweep) => second > sweep.from && second <= sweep.to);
  const from = sweeps.reduce((least, sweep) => Math.min(least, sweep.from), control.sweptTo);
  // In this order: what is counted stands in a bucket already, unless it is gone.
  const [{ counts }, minutes] = await Promise.all([
    delayed.counts.read(control.epoch),
    delayed.minutes(control.epoch, bucketOf(from + 1)),
  ]);
  const buckets = await delayed.read(control.epoch, minutes.slice(0, MOST_BUCKETS));
  const entries = buckets.flatMap((bucket) => bucket.entries.filter(({ due }) => isLive(due)));
  const parts = buckets.flatMap((bucket) => partsOf(bucket).filter(({ second }) => isLive(second)));
  const count = await counterFor(delayed, control.epoch, parts);
  const isDue = ({ due, parked }: BucketEntry): boolean => due <= now || parked;
  const dueParts = parts.filter(({ second }) => second <= now);
  delayed.counts.noteMissing(isAnyMissing(counts, { entries, parts, count }, control));
  const laterParts = parts.filter(({ second }) => second > now);
  const later = entries.filter((entry) => !isDue(entry));
  const soonest = least([...later.map(({ due }) => due), ...laterParts.map(({ second }) => second)]);
  return {
    due: entries.length - later.length + sumOf(dueParts.map(count)),
    later: later.length + sumOf(laterParts.map(count)),
    names: parts.length > 0 ? undefined : entries.map(({ name }) => name),
    ...(soonest !== undefined && { nextDue: soonest }),
  };
}

/** Whether more are counted than stand there, as far as parts were read: reason enough to look closely. */
function isAnyMissing(
  counts: Counts,
  there: {
    readonly entries: readonly BucketEntry[];
    readonly parts: readonly OpenPart[];
    readonly count: (part: OpenPart) => number;
  },
  { sweptTo }: Control,
): boolean {
  const standing = tally(there.entries.map(({ due }) => due));
  for (const part of there.parts) {
    standing.set(part.second, (standing.get(part.second) ?? 0) + there.count(part));
  }
  return missingOf(counts, standing, (second) => second > sweptTo) > 0;
}

const partsOf = ({ minute, parts }: Bucket): readonly OpenPart[] =>
  parts.map((part) => ({ ...part, minute }));

/** Tells how many entries a part has, or may be thought to have. */
async function counterFor(
  delayed: Delayed,
  epoch: string,
  parts: readonly OpenPart[],
): Promise<(part: OpenPart) => number> {
  const open = parts.filter(({ count }) => count === undefined).slice(0, MOST_PARTS);
  const counts = new Map<string, number>();
  for (const { minute, part } of open) {
    const [entries = []] = await delayed.readParts(epoch, minute, [part]);
    counts.set(part, entries.length);
  }
  const mean = open.length === 0 ? 0 : Math.round(sumOf([...counts.values()]) / open.length);
  return ({ part, count }) => count ?? counts.get(part) ?? mean;
}

const sumOf = (numbers: readonly number[]): number => numbers.reduce((sum, number) => sum + number, 0);

const least = (numbers: readonly number[]): number | undefined =>
  numbers.reduce<number | undefined>(
    (smallest, number) => (smallest === undefined || number < smallest ? number : smallest),
    undefined,
  );
