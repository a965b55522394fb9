import { decodeControl } from "../../src/adapters/memcached/control-codec.ts";
import type { Control } from "../../src/adapters/memcached/control.ts";
import { bucketEntries, bucketOf, parseEntry } from "../../src/adapters/memcached/entries.ts";
import { openMemjsWire } from "../../src/adapters/memcached/memjs-wire.ts";
import { keysOf } from "../../src/adapters/memcached/names.ts";
import { decodeRecord } from "../../src/adapters/memcached/record.ts";
import type { StoredRecord } from "../../src/adapters/memcached/record.ts";
import type { MemcachedServer } from "./memcached-server.ts";

/** Everything a server keeps, by key. */
export type Items = ReadonlyMap<string, Buffer>;

/** What a look at everything that a queue has on its server finds. */
export interface Checked {
  /** Broken promises of the layout, each a sentence. */
  readonly faults: readonly string[];
  /** Live records that nothing names: nobody will ever run them. */
  readonly orphans: readonly string[];
  readonly control?: Control;
  /** Names of the records there are, by state. */
  readonly ready: readonly string[];
  readonly dead: readonly string[];
  readonly cancelled: readonly string[];
}

/** Checks the invariants of docs/memcached-layout.md on all that a server keeps of one queue. */
export function checkList(items: Items, queue: string): Checked {
  const keys = keysOf(queue);
  const block = items.get(keys.control);
  const nothing = { faults: [], orphans: [], ready: [], dead: [], cancelled: [] };
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
    faults: faultsOf(items, queue, control),
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
  readonly staked: ReadonlySet<string>;
  readonly dead: ReadonlySet<string>;
  /** Names with the seconds that their buckets say. */
  readonly timed: ReadonlyMap<string, readonly number[]>;
}

function namesIn(items: Items, queue: string, control: Control): Named {
  const keys = keysOf(queue);
  const list = (name: string): string => items.get(keys.list(control.epoch, name))?.toString("latin1") ?? "";
  const names = (text: string): string[] => text.split(",").flatMap((one) => parseEntry(one)?.name ?? []);
  const waiting = control.lists.flatMap(({ name }, at) =>
    names(list(name).slice(at === 0 ? control.offset : 0)),
  );
  const staked = control.stakes.flatMap((stake) =>
    stake.kind === "sweep" ? [] : stake.entries.flatMap((text) => parseEntry(text)?.name ?? []),
  );
  const timed = new Map<string, number[]>();
  const prefix = keys.bucket(control.epoch, 0).slice(0, -1);
  for (const [key, value] of items) {
    if (!key.startsWith(prefix) || !/^\d+$/.test(key.slice(prefix.length))) continue;
    for (const { name, due } of bucketEntries(value.toString("latin1"))) {
      timed.set(name, [...(timed.get(name) ?? []), due]);
    }
  }
  return {
    waiting: new Set(waiting),
    staked: new Set(staked),
    dead: new Set(control.deadLists.flatMap(({ name }) => names(list(name)))),
    timed,
  };
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

function faultsOf(items: Items, queue: string, control: Control): string[] {
  const keys = keysOf(queue);
  const faults: string[] = [];
  const [first] = control.lists;
  const head = items.get(keys.list(control.epoch, first?.name ?? ""));
  if (head !== undefined && !control.closing && control.offset > head.length)
    faults.push("the first list is shorter than its claimed part");
  for (const { name } of control.lists.slice(1)) {
    if (!items.has(keys.list(control.epoch, name))) faults.push(`list ${name} is named and not there`);
  }
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

/** Everything that a real server keeps, read key by key. For a server that is at rest. */
export async function itemsOf(server: MemcachedServer): Promise<Items> {
  const lines = await server.command("lru_crawler metadump all");
  const keys = lines.flatMap((line) => /^key=(\S+)/.exec(line)?.[1] ?? []).map(decodeURIComponent);
  const wire = openMemjsWire({ server: { host: server.host, port: server.port } });
  const items = new Map<string, Buffer>();
  try {
    for (let from = 0; from < keys.length; from += 500) {
      const some = keys.slice(from, from + 500);
      const answers = await wire.batch(some.map((key) => ({ kind: "get", key })));
      for (const [at, answer] of answers.entries()) {
        if (answer.kind === "ok") items.set(some[at] ?? "", answer.value ?? Buffer.alloc(0));
      }
    }
  } finally {
    wire.close();
  }
  return items;
}
