import { MemqError } from "../../errors.ts";
import { MAX_NOTE_BYTES, type Notes } from "../../ports/notes.ts";
import type { BulkThen } from "./bulk-state.ts";
import type { BulkStore, SeenBulk } from "./bulk-store.ts";
import type { BulkTally } from "./bulk-tally.ts";
import type { Parts } from "./parts.ts";
import type { Publisher } from "./publisher.ts";
import { NAME_LETTERS } from "./control-store.ts";

// The names of the bulks that something follows: memcached cannot be asked which there are.
const NOTE = "bulks.then";
// Each try that fails means that another bulk was begun or concluded.
const MOST_TRIES = 20;
// A publisher names its bulk before it begins it: one that never did is forgotten.
const UNBEGUN_MS = 24 * 3_600_000;

interface Named {
  readonly name: string;
  /** When it was named, in ms. */
  readonly at: number;
}

type Stand = "open" | "concluded" | "gone";

interface Tools {
  readonly notes: Notes;
  readonly store: BulkStore;
  readonly tally: BulkTally;
  readonly publisher: Pick<Publisher, "publish">;
}

/** What follows bulks: published at least once when they are over, under a key of its own. */
export class BulkConclusion {
  readonly #parts: Parts;
  readonly #tools: Tools;

  constructor(parts: Parts, tools: Tools) {
    this.#parts = parts;
    this.#tools = tools;
  }

  /** To be called before a bulk that something follows is begun. @throws MemqError QUEUE_FULL for too many names */
  async expect(name: string): Promise<void> {
    await this.#change((named) => {
      const before = named.find((one) => one.name === name)?.at ?? 0;
      // Never the same again: who has seen the bulk before must not strike this name out.
      const at = Math.max(this.#parts.clock.now(), before + 1);
      return [...named.filter((one) => one.name !== name), { name, at }];
    });
  }

  /** Answers how many were concluded. */
  async conclude(): Promise<number> {
    const note = await this.#tools.notes.read(NOTE);
    if (note === undefined) return 0;
    const over: Named[] = [];
    let concluded = 0;
    for (const named of readNames(note.value)) {
      const stand = await this.#standOf(named);
      if (stand !== "open") over.push(named);
      if (stand === "concluded") concluded++;
    }
    const isOver = (one: Named): boolean => over.some(({ name, at }) => name === one.name && at === one.at);
    if (over.length > 0) await this.#change((named) => named.filter((one) => !isOver(one)));
    return concluded;
  }

  /** "concluded": just now; "gone": there is nothing to be done about it any more. */
  async #standOf({ name, at }: Named): Promise<Stand> {
    const seen = await this.#tools.store.read(name).catch(unlessLost);
    if (seen === "lost") return "gone";
    if (seen === undefined) return this.#parts.clock.now() - at < UNBEGUN_MS ? "open" : "gone";
    const { then } = seen.bulk;
    if (then === undefined || then.concluded) return "gone";
    const isOver = then.ended && (await this.#tools.tally.isSettled(name, seen.bulk));
    return isOver ? this.#follow(name, seen, then) : "open";
  }

  /** Who dies in between leaves it open: it is published again, under the same key. */
  async #follow(name: string, seen: SeenBulk, then: BulkThen): Promise<Stand> {
    const [answer] = await this.#tools.publisher.publish([{ ...then.call, key: `bulk:${name}:then` }]);
    if (answer?.kind === "refused") throw new MemqError(answer.code, answer.reason);
    const written = this.#parts.random(NAME_LETTERS);
    const next = { ...seen.bulk, then: { ...then, concluded: true }, written };
    return this.#tools.store.write(name, seen, next).then(() => "concluded" as const, unlessTaken);
  }

  async #change(next: (named: readonly Named[]) => readonly Named[]): Promise<void> {
    for (let tries = 0; tries < MOST_TRIES; tries++) {
      const note = await this.#tools.notes.read(NOTE);
      const text = JSON.stringify(next(readNames(note?.value ?? "[]")));
      if (Buffer.byteLength(text) > MAX_NOTE_BYTES)
        throw new MemqError("QUEUE_FULL", "too many bulks have a then that is still open");
      if (await this.#tools.notes.write(NOTE, text, note?.version)) return;
    }
    throw new MemqError("BUSY", "the bulks that have a then were changed all the time");
  }
}

/** A text that is none of ours names nobody. */
function readNames(text: string): readonly Named[] {
  try {
    const names: unknown = JSON.parse(text);
    return Array.isArray(names)
      ? (names as readonly Named[]).filter(({ name }) => typeof name === "string")
      : [];
  } catch {
    return [];
  }
}

function unlessLost(error: unknown): "lost" {
  if (error instanceof MemqError && error.code === "TASKS_LOST") return "lost";
  throw error;
}

/** Somebody was faster, or goes on with it: the next look tells. */
function unlessTaken(error: unknown): "open" {
  if (error instanceof MemqError && error.code === "BULK_TAKEN") return "open";
  throw error;
}
