import { NAME_PATTERN } from "./names.ts";

/** What stands in a bucket: `name@due`, due in seconds of the server's time. */
export interface BucketEntry {
  readonly name: string;
  readonly due: number;
  /** Put aside for a newer version, which may take it at once. */
  readonly parked: boolean;
}

/**
 * An item of its own for entries of one second, named in a bucket that is full: `>part@second`. Once another
 * follows it, it is named again with the count of its entries: `>part@second*count`.
 */
export interface BucketPart {
  readonly part: string;
  readonly second: number;
  /** Undefined: it still grows. */
  readonly count?: number;
}

/** The delayed tasks of one minute, as its bucket says. */
export interface Bucket {
  readonly minute: number;
  readonly entries: readonly BucketEntry[];
  /** Each once, in the order in which they were begun. */
  readonly parts: readonly BucketPart[];
}

export const bucketText = ({ name, due, parked }: BucketEntry): string =>
  `${name}@${String(due)}${parked ? "?" : ""}`;

export const bucketPartText = ({ part, second, count }: BucketPart): string =>
  `>${part}@${String(second)}${count === undefined ? "" : `*${String(count)}`}`;

const BUCKET_ENTRY = new RegExp(`^(${NAME_PATTERN})@(\\d{1,12})(\\??)$`);
const BUCKET_PART = /^>([0-9A-Za-z]{1,40})@(\d{1,12})(?:\*(\d{1,9}))?$/;

/** The entries in a bucket, or in a part of one; bytes that are none are passed over. */
export function bucketEntries(text: string): readonly BucketEntry[] {
  const entries: BucketEntry[] = [];
  for (const one of text.split(",")) {
    const [, name, due, parked] = BUCKET_ENTRY.exec(one) ?? [];
    if (name !== undefined) entries.push({ name, due: Number(due), parked: parked === "?" });
  }
  return entries;
}

/** A whole bucket; bytes that are nothing of it are passed over. */
export function readBucket(minute: number, text: string): Bucket {
  const parts = new Map<string, BucketPart>();
  for (const one of text.includes(">") ? text.split(",") : []) {
    const read = readPart(one);
    if (read === undefined) continue;
    const counts = [parts.get(read.part)?.count, read.count].filter((count) => count !== undefined);
    // Two may have ended it, one of them later than the other.
    parts.set(read.part, { ...read, ...(counts.length > 0 && { count: Math.max(...counts) }) });
  }
  return { minute, entries: bucketEntries(text), parts: [...parts.values()] };
}

function readPart(text: string): BucketPart | undefined {
  const [, part, second, count] = BUCKET_PART.exec(text) ?? [];
  if (part === undefined) return undefined;
  return { part, second: Number(second), ...(count !== undefined && { count: Number(count) }) };
}

/** The seconds at which something of a bucket may fall due; many of them may be the same. */
export const secondsIn = ({ entries, parts }: Bucket): readonly number[] => [
  ...entries.map(({ due }) => due),
  ...parts.map(({ second }) => second),
];

const BUCKET_SECONDS = 60;

/** The minute whose bucket holds that second. */
export const bucketOf = (second: number): number => Math.floor(second / BUCKET_SECONDS);

/** The last second of a bucket. */
export const bucketEnd = (minute: number): number => (minute + 1) * BUCKET_SECONDS - 1;
