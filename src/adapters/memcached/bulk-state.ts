import { MAX_BATCH } from "../../ports/broker.ts";
import type { Call } from "../../task/task.ts";
import { numberedName } from "./names.ts";

/**
 * How far a bulk is, in one item. Its records are added first, then this says that they are there, then they are
 * listed: what stood open when the publisher died is looked at and, where needed, listed by who goes on.
 */
export interface StoredBulk {
  /** Of the control block that the records belong to. */
  readonly epoch: string;
  readonly place: string;
  readonly kept: number;
  /** The names of all records, by publisher: few, and each name follows from its number. */
  readonly series: readonly Series[];
  /** How many of the last names may not be listed. */
  readonly open: number;
  /** Letters of each write, by which its writer knows it again. */
  readonly written: string;
  /** What follows it. */
  readonly then?: BulkThen;
}

/** A call that follows a bulk, and how far the bulk is. */
export interface BulkThen {
  readonly call: Call;
  /** The input is at its end. */
  readonly ended: boolean;
  /** It was published. */
  readonly concluded: boolean;
}

/** The names of the records that one publisher has added. */
export interface Series {
  readonly prefix: string;
  readonly count: number;
  /** The most tasks in one of the records. */
  readonly members: number;
}

// Any change: add 1, keep a reader for the old one, add a fixture.
const BULK_VERSION = 2;
// Most bulks say nothing that the version before could not read.
const PLAIN_VERSION = 1;

/** The names of a series from a number up to, not with, another. */
export const namesOf = ({ prefix }: Series, from: number, to: number): readonly string[] =>
  Array.from({ length: Math.max(0, to - from) }, (_, index) => numberedName(prefix, from + index));

/** The names that may not be listed. */
export function openNames({ series, open }: StoredBulk): readonly string[] {
  const last = series.at(-1);
  return last === undefined ? [] : namesOf(last, Math.max(0, last.count - open), last.count);
}

/** The names that its publisher may have given to records since this was written. */
export function namesBehind({ series }: StoredBulk): readonly string[] {
  const last = series.at(-1);
  return last === undefined ? [] : namesOf(last, last.count, last.count + MAX_BATCH);
}

export const encodeBulk = (bulk: StoredBulk): string =>
  JSON.stringify({
    v: bulk.then === undefined ? PLAIN_VERSION : BULK_VERSION,
    e: bulk.epoch,
    p: bulk.place,
    k: bulk.kept,
    s: bulk.series.map(({ prefix, count, members }) => [prefix, count, members]),
    o: bulk.open,
    w: bulk.written,
    ...(bulk.then !== undefined && { t: bulk.then }),
  });

/** Undefined for bytes that are none of this version's. */
export function decodeBulk(bytes: Buffer): StoredBulk | undefined {
  const { v, e, p, k, s, o, w, t } = membersIn(bytes);
  const isKnown = v === PLAIN_VERSION || (v === BULK_VERSION && isThen(t));
  const texts = [e, p, w].every((text) => typeof text === "string");
  if (!isKnown || !texts || !isCount(k) || !isCount(o) || !Array.isArray(s)) return undefined;
  const series = s.map(readSeries);
  if (series.includes(undefined)) return undefined;
  const [epoch, place, written] = [e, p, w] as [string, string, string];
  const bulk = { epoch, place, kept: k, series: series as Series[], open: o, written };
  return v === PLAIN_VERSION ? bulk : { ...bulk, then: t as BulkThen };
}

/** Bytes that are none of ours have no members. */
function membersIn(bytes: Buffer): Record<string, unknown> {
  try {
    const item: unknown = JSON.parse(bytes.toString("utf8"));
    return typeof item === "object" && item !== null ? (item as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

function isThen(value: unknown): value is BulkThen {
  const { call, ended, concluded } = (value ?? {}) as Partial<BulkThen>;
  const isCall = typeof call?.method === "string" && Array.isArray(call.args);
  return isCall && typeof ended === "boolean" && typeof concluded === "boolean";
}

function readSeries(value: unknown): Series | undefined {
  if (!Array.isArray(value)) return undefined;
  const [prefix, count, members] = value as unknown[];
  if (typeof prefix !== "string" || !isCount(count) || !isCount(members)) return undefined;
  return { prefix, count, members };
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
