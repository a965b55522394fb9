import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Loss } from "../../ports/broker.ts";
import type { Parts } from "./parts.ts";

/** What this host saw of a queue when it looked last. */
interface Memory {
  readonly epoch: string;
  /** Lists that had vanished by then. */
  readonly lost: number;
  /** In ms. */
  readonly at: number;
}

/** Finds out that tasks were lost, by what this host remembers of the queue; each loss is told once per host. */
export class Losses {
  readonly #parts: Parts;
  readonly #folder: string;
  readonly #file: string;

  constructor(parts: Parts, folder: string) {
    this.#parts = parts;
    this.#folder = folder;
    const whose = createHash("sha256").update(`${parts.session.wire.server}\n${parts.queue}`).digest("hex");
    this.#file = join(folder, `memcached-${whose.slice(0, 16)}.json`);
  }

  async find(): Promise<readonly Loss[]> {
    const { control, clock } = this.#parts;
    const seen = (await control.read())?.control;
    const before = this.#recall();
    const now: Memory = { epoch: seen?.epoch ?? "", lost: seen?.lost ?? 0, at: clock.now() };
    if (before?.epoch === now.epoch && before.lost === now.lost) return [];
    if (before === undefined && now.epoch === "") return [];
    const isFirst = this.#remember(now, before);
    if (before === undefined || before.epoch === "" || !isFirst) return [];
    if (before.epoch !== now.epoch) return [{ at: now.at, cause: await this.#cause(before) }];
    if (now.lost <= before.lost) return [];
    return [{ at: now.at, cause: "eviction", atLeast: now.lost - before.lost }];
  }

  async #cause(before: Memory): Promise<Loss["cause"]> {
    const stats = await this.#parts.session.stats();
    const uptimeMs = Number(stats.get("uptime")) * 1_000;
    if (!Number.isFinite(uptimeMs)) return "unknown";
    if (uptimeMs < this.#parts.clock.now() - before.at) return "restart";
    return Number(stats.get("cmd_flush")) > 0 ? "flush" : "unknown";
  }

  #recall(): Memory | undefined {
    try {
      const read: unknown = JSON.parse(readFileSync(this.#file, "utf8"));
      return isMemory(read) ? read : undefined;
    } catch {
      return undefined; // never written, or cut short: then nothing is remembered, and nothing can be told
    }
  }

  /** Whether this process is the one on this host that tells the change. */
  #remember(now: Memory, before: Memory | undefined): boolean {
    const turn = `${this.#file}.turn`;
    try {
      mkdirSync(this.#folder, { recursive: true });
      dropStale(turn);
      writeFileSync(turn, "", { flag: "wx" });
      const isFirst = this.#recall()?.at === before?.at;
      const fresh = `${this.#file}.${String(process.pid)}.new`;
      writeFileSync(fresh, JSON.stringify(now));
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
