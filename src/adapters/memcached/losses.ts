import { readFileSync, renameSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { appendWhole, createGroupFile, makeGroupFolder } from "../../host/group-file.ts";
import type { Finding, Loss } from "../../ports/broker.ts";
import type { Parts } from "./parts.ts";
import type { Vanished } from "./vanished.ts";

/** What this host saw of a queue when it looked last. */
export interface Memory {
  readonly epoch: string;
  /** What the control block said of losses by then. */
  readonly lost: number;
  /** In ms. */
  readonly at: number;
  /** The server's count of items it threw away, when it was last asked. */
  readonly evictions?: number;
}

/** Finds out that tasks were lost, by what this host remembers of the queue; each loss is told once per host. */
export class Losses {
  readonly #parts: Parts;
  readonly #folder: string;
  readonly #file: string;
  readonly #vanished: Vanished;
  #noted = false;
  #missing = 0;

  constructor(parts: Parts, folder: string, vanished: Vanished) {
    this.#parts = parts;
    this.#vanished = vanished;
    this.#folder = folder;
    this.#file = memoryFile(folder, parts.session.wire.server, parts.queue);
  }

  /** A host that only publishes has to remember the queue too: a loss before its first run would go unseen. */
  noteFirst(): void {
    const seen = this.#parts.control.latest?.control;
    if (this.#noted || seen === undefined) return;
    this.#noted = true;
    const before = recall(this.#file);
    if (before !== undefined && before.epoch !== "") return;
    this.#remember({ ...tracesOf(seen), at: this.#parts.clock.now() }, before);
  }

  /** Listed tasks that were not there. Purging leaves such too: only the server's counters tell them apart. */
  noteMissing(findings: readonly Finding[]): void {
    for (const finding of findings) if (finding.kind === "missing") this.#missing += finding.count;
  }

  async find(): Promise<readonly Loss[]> {
    await this.#vanished.tell();
    const evicted = this.#missing > 0 ? await this.#evicted() : [];
    return [...evicted, ...(await this.#changes())];
  }

  /** The missing tasks, when the server has thrown items away since this host asked last. */
  async #evicted(): Promise<readonly Loss[]> {
    const { clock, session } = this.#parts;
    const count = this.#missing;
    this.#missing = 0;
    const evictions = Number((await session.stats()).get("evictions") ?? 0);
    const before = recall(this.#file);
    if (before === undefined || evictions <= (before.evictions ?? 0)) return [];
    this.#remember({ ...before, evictions }, before);
    return [evicted(clock.now(), count)];
  }

  /** What `find` would tell of the queue as a whole, left for it to be told. */
  async look(): Promise<readonly Loss[]> {
    const { before, now } = await this.#compared();
    const vanished = await this.#vanished.count();
    return [...(await this.#told(before, now)), ...(vanished > 0 ? [evicted(now.at, vanished)] : [])];
  }

  async #changes(): Promise<readonly Loss[]> {
    const { before, now } = await this.#compared();
    if (changeBetween(before, now) === "none" || !this.#remember(now, before)) return [];
    return this.#told(before, now);
  }

  async #compared(): Promise<{ readonly before: Memory | undefined; readonly now: Memory }> {
    const { control, clock } = this.#parts;
    const seen = (await control.read())?.control;
    const before = recall(this.#file);
    const now = { ...before, ...(seen === undefined ? NO_QUEUE : tracesOf(seen)), at: clock.now() };
    return { before, now };
  }

  async #told(before: Memory | undefined, now: Memory): Promise<readonly Loss[]> {
    const change = changeBetween(before, now);
    if (before === undefined || change === "none" || change === "met") return [];
    if (change === "gone") return [{ at: now.at, cause: await this.#cause(before) }];
    return now.lost > before.lost ? [evicted(now.at, now.lost - before.lost)] : [];
  }

  async #cause(before: Memory): Promise<Loss["cause"]> {
    const stats = await this.#parts.session.stats();
    const uptimeMs = Number(stats.get("uptime")) * 1_000;
    if (!Number.isFinite(uptimeMs)) return "unknown";
    const sinceMs = this.#parts.clock.now() - before.at;
    if (uptimeMs < sinceMs) return "restart";
    if (Number(stats.get("cmd_flush")) > 0) return "flush";
    return uptimeMs < sinceMs + UPTIME_SLACK_MS ? "restart" : "unknown";
  }

  /** Whether this process is the one on this host that tells the change. */
  #remember(now: Memory, before: Memory | undefined): boolean {
    const turn = `${this.#file}.turn`;
    try {
      makeGroupFolder(this.#folder);
      dropStale(turn);
      createGroupFile(turn);
      const isFirst = recall(this.#file)?.at === before?.at;
      const fresh = `${this.#file}.${String(process.pid)}.new`;
      rmSync(fresh, { force: true });
      appendWhole(fresh, JSON.stringify(now));
      renameSync(fresh, this.#file);
      rmSync(turn, { force: true });
      return isFirst;
    } catch (error) {
      // Another run is telling it. Or nothing can be written here: then it is told again and again, which is
      // better than not at all.
      return (error as NodeJS.ErrnoException).code !== "EEXIST";
    }
  }
}

const evicted = (at: number, atLeast: number): Loss => ({ at, cause: "eviction", atLeast });

// It is told in whole seconds, and memcached begins to count at two.
const UPTIME_SLACK_MS = 3_000;

const NO_QUEUE = { epoch: "", lost: 0 };

const tracesOf = ({ epoch, lost }: Omit<Memory, "at">): Omit<Memory, "at"> => ({ epoch, lost });

/** "met": there was nothing to lose; "gone": the queue is another one, or none; "lists": some of it may be gone. */
function changeBetween(before: Memory | undefined, now: Memory): "none" | "met" | "gone" | "lists" {
  const epoch = before?.epoch ?? "";
  if (epoch === now.epoch && (before?.lost ?? 0) === now.lost) return "none";
  if (epoch === "") return "met";
  return epoch === now.epoch ? "lists" : "gone";
}

/** The file in which this host remembers a queue. */
export function memoryFile(folder: string, server: string, queue: string): string {
  return join(folder, `memcached-${digestOf(`${server}\n${queue}`)}.json`);
}

/** What stands in such a file, if anything does. */
export function recall(file: string): Memory | undefined {
  try {
    const read: unknown = JSON.parse(readFileSync(file, "utf8"));
    return isMemory(read) ? read : undefined;
  } catch {
    return undefined; // never written, or cut short: then nothing is remembered, and nothing can be told
  }
}

// A run that died in its turn must not silence all later ones.
const STALE_MS = 10_000;

function dropStale(turn: string): void {
  const age = Date.now() - (statSync(turn, { throwIfNoEntry: false })?.mtimeMs ?? Date.now());
  if (age > STALE_MS) rmSync(turn, { force: true });
}

function isMemory(value: unknown): value is Memory {
  if (typeof value !== "object" || value === null) return false;
  const { epoch, lost, at } = value as Record<string, unknown>;
  return typeof epoch === "string" && Number.isSafeInteger(lost) && typeof at === "number";
}

// FNV-1a of 64 bits: nobody gains by a clash of names, and node:crypto takes every command 2 ms to load.
const FNV_OFFSET = 0xcbf29ce484222325n;
const FNV_PRIME = 0x100000001b3n;

/** 16 letters and digits that stand for a text. */
function digestOf(text: string): string {
  let hash = FNV_OFFSET;
  for (const byte of Buffer.from(text)) hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * FNV_PRIME);
  return hash.toString(16).padStart(16, "0");
}
