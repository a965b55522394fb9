import { decodeControl } from "../../src/adapters/memcached/control-codec.ts";
import { entriesOf } from "../../src/adapters/memcached/control.ts";
import type { Control } from "../../src/adapters/memcached/control.ts";
import { bucketEntries, bucketOf, readBucket } from "../../src/adapters/memcached/bucket.ts";
import type { BucketEntry } from "../../src/adapters/memcached/bucket.ts";
import { missingOf, readCounts, tally } from "../../src/adapters/memcached/delayed-counts.ts";
import { parseEntry } from "../../src/adapters/memcached/entries.ts";
import { openMemjsWire } from "../../src/adapters/memcached/memjs-wire.ts";
import { isKeyed, keysOf } from "../../src/adapters/memcached/names.ts";
import type { Keys } from "../../src/adapters/memcached/names.ts";
import { decodeRecord } from "../../src/adapters/memcached/record.ts";
import type { StoredRecord } from "../../src/adapters/memcached/record.ts";
import type { Wire } from "../../src/adapters/memcached/wire.ts";
import type { MemcachedServer } from "./memcached-server.ts";

/** Everything a server keeps, by key. */
export type Items = ReadonlyMap<string, Buffer>;

/** What a look at everything that a queue has on its server finds. */
export interface Checked {
  /** Broken promises of the layout (I3, I4, I5), each a sentence. */
  readonly faults: readonly string[];
  /** Live records that nothing names: nobody will ever run them (I2). */
  readonly orphans: readonly string[];
  /** Names that wait for the first time, and have no record (I1): only a server that lost it explains that. */
  readonly unrecorded: readonly string[];
  /** Delayed records that are counted and whose names stand in no bucket (I6): only a server that lost them explains that. */
  readonly vanished: number;
  /** How much was there to be checked. */
  readonly seen: Seen;
  readonly control?: Control;
  /** Names of the records there are, by state. */
  readonly ready: readonly string[];
  readonly dead: readonly string[];
  readonly cancelled: readonly string[];
}

/** What there was of a queue: a check of nothing proves nothing. */
export interface Seen {
  readonly items: number;
  readonly blocks: number;
  readonly records: number;
  readonly lists: number;
  readonly buckets: number;
  readonly stakes: number;
  /** Names in lists, stakes and buckets. */
  readonly names: number;
}

/** The invariants of docs/memcached-layout.md, and which field of a check tells that one is broken. */
export const INVARIANTS = [
  "I1 listed names have records (unrecorded)",
  "I2 live records are named (orphans)",
  "I3 offset, clock and sweeps agree with the stakes (faults)",
  "I4 marks belong to stakes that stand (faults)",
  "I5 lists end only when they are claimed to the end (faults)",
  "I6 counted delayed records stand in buckets (vanished)",
] as const;

const SAW_NOTHING: Seen = { items: 0, blocks: 0, records: 0, lists: 0, buckets: 0, stakes: 0, names: 0 };

/** Checks the invariants of docs/memcached-layout.md on all that a server keeps of one queue. */
export function checkList(items: Items, queue: string): Checked {
  const keys = keysOf(queue);
  const block = items.get(keys.control);
  const seen = { ...SAW_NOTHING, items: items.size };
  const nothing = {
    faults: [],
    orphans: [],
    unrecorded: [],
    vanished: 0,
    seen,
    ready: [],
    dead: [],
    cancelled: [],
  };
  if (block === undefined) return nothing;
  const decoded = decodeControl(block);
  if (decoded.kind !== "control") return { ...nothing, faults: [`the control block is ${decoded.kind}`] };
  const { control } = decoded;
  const records = recordsIn(items, keys.record(control.epoch, ""));
  const named = namesIn(items, queue, control);
  const orphans: string[] = [];
  for (const [name, record] of records) {
    if (record.state !== "cancelled" && !isNamed(name, record, named, control)) orphans.push(name);
  }
  const inState = (state: StoredRecord["state"]): string[] =>
    [...records].filter(([, record]) => record.state === state).map(([name]) => name);
  return {
    control,
    orphans,
    unrecorded: [...named.fresh].filter((name) => !items.has(keys.record(control.epoch, name))),
    vanished: vanishedIn(items, keys, control),
    seen: { ...countsOf(items, queue, control, named), records: records.size },
    faults: [...faultsOf(items, queue, control), ...markFaults(records, control)],
    ready: inState("ready"),
    dead: inState("dead"),
    cancelled: inState("cancelled"),
  };
}

function recordsIn(items: Items, prefix: string): ReadonlyMap<string, StoredRecord> {
  const records = new Map<string, StoredRecord>();
  for (const [key, value] of items) {
    if (!key.startsWith(prefix)) continue;
    const decoded = decodeRecord(value);
    if (decoded.kind === "record") records.set(key.slice(prefix.length), decoded.record);
  }
  return records;
}

interface Named {
  readonly waiting: ReadonlySet<string>;
  /** Of those, the ones that stand nowhere else and never did. */
  readonly fresh: ReadonlySet<string>;
  readonly staked: ReadonlySet<string>;
  readonly dead: ReadonlySet<string>;
  /** Names with the seconds that their buckets say. */
  readonly timed: ReadonlyMap<string, readonly number[]>;
}

function namesIn(items: Items, queue: string, control: Control): Named {
  const keys = keysOf(queue);
  const list = (name: string): string => items.get(keys.list(control.epoch, name))?.toString("latin1") ?? "";
  const names = (text: string): string[] => text.split(",").flatMap((one) => parseEntry(one)?.name ?? []);
  const unclaimed = control.lists
    .map(({ name }, at) => list(name).slice(at === 0 ? control.offset : 0))
    .join("");
  const staked = control.stakes.flatMap((stake) => [
    ...entriesOf(stake).flatMap((text) => parseEntry(text)?.name ?? []),
    ...(stake.kind === "purge" ? stake.lists.flatMap(({ name }) => names(list(name))) : []),
  ]);
  const timed = new Map<string, number[]>();
  for (const { name, due } of delayedIn(items, keys, control.epoch)) {
    timed.set(name, [...(timed.get(name) ?? []), due]);
  }
  const fresh = unclaimed.split(",").flatMap((one) => {
    const entry = parseEntry(one);
    return entry === undefined || entry.again || isKeyed(entry.name) ? [] : [entry.name];
  });
  return {
    waiting: new Set(names(unclaimed)),
    fresh: new Set(fresh),
    staked: new Set(staked),
    dead: new Set(control.deadLists.flatMap(({ name }) => names(list(name)))),
    timed,
  };
}

/** What stands in buckets, and in the parts that they name. */
function delayedIn(items: Items, keys: Keys, epoch: string): readonly BucketEntry[] {
  const prefix = keys.bucket(epoch, 0).slice(0, -1);
  return [...items].flatMap(([key, value]) => {
    const minute = key.startsWith(prefix) ? key.slice(prefix.length) : "";
    if (!/^\d+$/.test(minute)) return [];
    const { entries, parts } = readBucket(Number(minute), value.toString("latin1"));
    const inParts = parts.flatMap(({ part }) =>
      bucketEntries(items.get(keys.bucketPart(epoch, Number(minute), part))?.toString("latin1") ?? ""),
    );
    return [...entries, ...inParts];
  });
}

/** Of what is not released yet. */
function vanishedIn(items: Items, keys: Keys, { epoch, sweptTo }: Control): number {
  const counts = readCounts(items.get(keys.delayedCounts(epoch))?.toString("latin1") ?? "");
  const standing = tally(delayedIn(items, keys, epoch).map(({ due }) => due));
  return missingOf(counts, standing, (second) => second > sweptTo);
}

/** In an unclaimed part of a list, in a stake, in a bucket that is still to be released, or among the dead. */
function isNamed(name: string, record: StoredRecord, named: Named, control: Control): boolean {
  if (named.staked.has(name)) return true;
  if (record.state === "dead") return named.dead.has(name);
  if (named.waiting.has(name) && record.due <= control.sweptTo) return true;
  return (named.timed.get(name) ?? []).some(
    (due) =>
      due >= record.due &&
      (due > control.sweptTo ||
        control.stakes.some((stake) => stake.kind === "sweep" && due > stake.from && due <= stake.to)),
  );
}

function countsOf(items: Items, queue: string, control: Control, named: Named): Omit<Seen, "records"> {
  const keys = keysOf(queue);
  const startingWith = (prefix: string): number =>
    [...items.keys()].filter((key) => key.startsWith(prefix)).length;
  const { waiting, staked, dead, timed } = named;
  return {
    items: items.size,
    blocks: 1,
    lists: startingWith(keys.list(control.epoch, "")),
    buckets: startingWith(keys.bucket(control.epoch, 0).slice(0, -1)),
    stakes: control.stakes.length,
    names: new Set([...waiting, ...staked, ...dead, ...timed.keys()]).size,
  };
}

/** I4: what is marked by a stake that is gone is passed over by everybody, for ever. */
function markFaults(records: ReadonlyMap<string, StoredRecord>, control: Control): string[] {
  return [...records].flatMap(([name, { run, state }]) => {
    if (run === undefined || state !== "ready") return [];
    const stake = control.stakes.find(({ id }) => id === run.stake);
    if (stake !== undefined && stake.generation >= run.generation) return [];
    return [`record ${name} is marked by stake ${run.stake}.${String(run.generation)}, which does not stand`];
  });
}

/** I5: a list that the block does not name is a fresh one whose maker died, is being purged, or was claimed to its end. */
function listFaults(items: Items, queue: string, control: Control): string[] {
  const prefix = keysOf(queue).list(control.epoch, "");
  const named = [...control.lists, ...control.deadLists].map(({ name }) => name);
  const purged = control.stakes.flatMap((stake) => (stake.kind === "purge" ? stake.lists : []));
  const known = new Set([...named, ...purged.map(({ name }) => name)]);
  const [first] = control.lists;
  const missing = named
    .filter((name) => !items.has(prefix + name) && !(name === first?.name && control.closing))
    .map((name) => `list ${name} is named and not there`);
  const unnamed = [...items]
    .filter(([key, value]) => key.startsWith(prefix) && value.length > 0)
    .map(([key]) => key.slice(prefix.length))
    .filter((name) => !known.has(name))
    .map((name) => `list ${name} has entries and is not named`);
  return [...missing, ...unnamed];
}

function faultsOf(items: Items, queue: string, control: Control): string[] {
  const keys = keysOf(queue);
  const faults = listFaults(items, queue, control);
  const [first] = control.lists;
  const head = items.get(keys.list(control.epoch, first?.name ?? ""));
  if (head !== undefined && !control.closing && control.offset > head.length)
    faults.push("the first list is shorter than its claimed part");
  const stakes = control.stakes.map(({ id }) => id);
  if (new Set(stakes).size < stakes.length) faults.push("two stakes have one name");
  for (const stake of control.stakes) {
    if (stake.kind === "sweep" && stake.to > control.sweptTo)
      faults.push("a sweep goes beyond the queue's clock");
    if (stake.kind === "sweep" && bucketOf(stake.from) > bucketOf(stake.to))
      faults.push("a sweep goes backwards");
  }
  return faults;
}

/**
 * Everything that a real server keeps of a queue, read key by key. A dump passes over what the server moves about
 * meanwhile: what the queue names is asked for besides.
 * @param known more keys that may be there
 */
export async function itemsOf(
  server: MemcachedServer,
  queue: string,
  known: Iterable<string> = [],
): Promise<Items> {
  const lines = await dumpOf(server);
  const prefix = keysOf(queue).control.slice(0, -1);
  const dumped = lines.flatMap((line) => /^key=(\S+)/.exec(line)?.[1] ?? []).map(decodeURIComponent);
  const items = new Map<string, Buffer>();
  const asked = new Set<string>();
  const wire = openMemjsWire({ server: { host: server.host, port: server.port } });
  try {
    let keys = [...dumped.filter((key) => key.startsWith(prefix)), ...known, keysOf(queue).control];
    while (keys.length > 0) {
      const some = [...new Set(keys)];
      for (const key of some) asked.add(key);
      await readInto(items, wire, some);
      keys = namedKeys(items, queue).filter((key) => !asked.has(key));
    }
  } finally {
    wire.close();
  }
  return items;
}

async function readInto(items: Map<string, Buffer>, wire: Wire, keys: readonly string[]): Promise<void> {
  for (let from = 0; from < keys.length; from += 500) {
    const some = keys.slice(from, from + 500);
    const answers = await wire.batch(some.map((key) => ({ kind: "get", key })));
    for (const [at, answer] of answers.entries()) {
      if (answer.kind === "ok") items.set(some[at] ?? "", answer.value ?? Buffer.alloc(0));
    }
  }
}

/** The lists that the block names, and the records that these name. */
function namedKeys(items: Items, queue: string): readonly string[] {
  const keys = keysOf(queue);
  const decoded = decodeControl(items.get(keys.control) ?? Buffer.alloc(0));
  if (decoded.kind !== "control") return [];
  const { control } = decoded;
  const { waiting, dead } = namesIn(items, queue, control);
  return [
    ...[...control.lists, ...control.deadLists].map(({ name }) => keys.list(control.epoch, name)),
    ...[...waiting, ...dead].map((name) => keys.record(control.epoch, name)),
  ];
}

let dumping: Promise<unknown> = Promise.resolve();

// The server makes one dump at a time, and answers others that it is busy.
function dumpOf(server: MemcachedServer): Promise<readonly string[]> {
  const mine = dumping.then(() => server.command("lru_crawler metadump all"));
  dumping = mine.catch(() => undefined);
  return mine;
}

/**
 * Checks a queue on a real server that nobody works on.
 * @throws Error when there is nothing of the queue there: a check that saw nothing proves nothing
 */
export async function examineList(
  server: MemcachedServer,
  queue: string,
  known?: Iterable<string>,
): Promise<Checked> {
  const time = (await server.command("stats")).find((line) => line.startsWith("STAT time "));
  const checked = checkList(await itemsOf(server, queue, known), queue);
  const { control } = checked;
  if (control === undefined) throw new Error(`the checker saw nothing of queue ${queue} on ${server.host}`);
  const now = Number(time?.split(" ")[2]);
  if (control.sweptTo <= now + SERVER_STEP_SECONDS) return checked;
  return { ...checked, faults: [...checked.faults, "the queue's clock is ahead of its server's"] };
}

const SERVER_STEP_SECONDS = 2; // the server's own clock ticks once a second, and is up to two behind
