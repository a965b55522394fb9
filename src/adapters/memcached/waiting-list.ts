import { MemqError } from "../../errors.ts";
import type { Control, ListRef } from "./control.ts";
import { NAME_LETTERS } from "./control-store.ts";
import type { Seen } from "./control-store.ts";
import { countTasks } from "./entries.ts";
import type { Limits, Parts } from "./parts.ts";
import { itemOf } from "./session.ts";
import type { Answer, Operation } from "./wire.ts";

/** What became of entries: "gone": the epoch they belong to has ended. */
export type Appended = "kept" | "gone" | "full";

const MOST_LIST_BYTES = 65_536; // of appends that the server copies, and of reads
// Where lists are many, they are longer: the block that names them all stays small.
const LISTS_PER_DOUBLING = 32;

// Each is an append by somebody else between reading and writing.
const MOST_STRIKES = 10;

// Of the 62 letters and digits: 2 are one process in 31.
const LOOKS_UP_TO = "1";

/** From which length on a list is followed by a new one. */
export const listLimitBytes = (lists: number, { listBytes }: Limits): number =>
  Math.min(listBytes * 2 ** Math.floor(lists / LISTS_PER_DOUBLING), MOST_LIST_BYTES);

/** The lists of names that are waiting to be claimed, and of dead letters: appended to at the end, whoever writes. */
export class WaitingList {
  readonly #parts: Parts;
  readonly #which: "lists" | "deadLists";
  /** Bytes that this process has appended to a list, to know when it is long. */
  #appended = { name: "", bytes: 0 };

  constructor(parts: Parts, which: "lists" | "deadLists") {
    this.#parts = parts;
    this.#which = which;
  }

  /** Appends entries (without commas) of an epoch to the last list. */
  async append(epoch: string, entries: readonly string[]): Promise<Appended> {
    if (entries.length === 0) return "kept";
    const { control, session } = this.#parts;
    const patience = session.patience();
    let seen = control.latest ?? (await control.read());
    for (;;) {
      if (seen?.control.epoch !== epoch) return "gone";
      const [answer] = await session.ask([this.appending(seen, entries)]);
      const appended = await this.appended(seen, entries, answer);
      if (appended !== "again") return appended;
      await patience.again();
      seen = await control.read();
    }
  }

  /** The operation that appends entries to the last list; hand its answer to `appended`. */
  appending(seen: Seen, entries: readonly string[]): Operation {
    const { name } = lastOf(seen.control[this.#which]);
    return { kind: "append", key: this.#key(seen, name), value: listText(entries) };
  }

  /** What came of it; "again": nothing certain, read the block and append again. */
  async appended(
    seen: Seen,
    entries: readonly string[],
    answer: Answer | undefined,
  ): Promise<Appended | "again"> {
    const { name } = lastOf(seen.control[this.#which]);
    switch (answer?.kind) {
      case "ok":
        await this.#count(seen, name, listText(entries).length);
        return "kept";
      case "tooLarge":
        await this.#grow(seen, name);
        return "again";
      case "missing":
      case "full":
        return this.#refused(seen, name);
      default:
        return "again";
    }
  }

  /**
   * Takes entries back that were appended to the last list of `seen`, or to the one that is last by now. What cannot
   * be taken back, because somebody has claimed it or there is no memory, is missed by whoever comes by it.
   */
  async strike(seen: Seen, entries: readonly string[]): Promise<void> {
    const latest = this.#parts.control.latest ?? seen;
    for (const name of new Set([seen, latest].map(({ control }) => lastOf(control[this.#which]).name)))
      await this.#strikeIn(this.#key(seen, name), entries);
  }

  /** By version, and each by blanks of its own length: what others know of places in the list stays true. */
  async #strikeIn(key: string, entries: readonly string[]): Promise<void> {
    const { session } = this.#parts;
    for (let tries = 0; tries < MOST_STRIKES; tries++) {
      const item = await session.get(key);
      const text = item?.value.toString("latin1") ?? "";
      const value = struckText(text, new Set(entries));
      if (item === undefined || value === text) return;
      const struck = Buffer.from(value, "latin1");
      const [answer] = await session.ask([{ kind: "replace", key, value: struck, cas: item.cas }]);
      if (answer?.kind === "ok" || answer?.kind === "full") return;
    }
  }

  /** Lets a new list follow the last one of a block. */
  async follow(seen: Seen): Promise<void> {
    await this.#grow(seen, lastOf(seen.control[this.#which]).name);
  }

  /** The same answer is given for "no such list" and "no memory for it". */
  async #refused(seen: Seen, name: string): Promise<Appended | "again"> {
    const { session, control, random } = this.#parts;
    const there = await session.get(this.#key(seen, name));
    if (there !== undefined) return there.value.length > MOST_LIST_BYTES ? this.#regrow(seen, name) : "full";
    const now = await control.read();
    if (now?.control.epoch !== seen.control.epoch) return "gone";
    if (lastOf(now.control[this.#which]).name !== name) return "again";
    const fresh = random(NAME_LETTERS);
    const { answer } = await session.sure({ kind: "add", key: this.#key(now, fresh), value: "" });
    if (answer.kind === "full") return "full";
    await control.replace(now, {
      ...now.control,
      [this.#which]: [...now.control[this.#which], { name: fresh, tasks: 0 }],
      lost: now.control.lost + 1,
    });
    return "again";
  }

  // Past what an item can hold, an append is refused as if memory were full.
  async #regrow(seen: Seen, name: string): Promise<Appended | "again"> {
    await this.#grow(seen, name);
    const latest = this.#parts.control.latest?.control;
    return latest !== undefined && lastOf(latest[this.#which]).name !== name ? "again" : "full";
  }

  async #count(seen: Seen, name: string, bytes: number): Promise<void> {
    if (this.#appended.name !== name) this.#appended = { name, bytes: await this.#sampled(seen, name) };
    this.#appended.bytes += bytes;
    if (this.#appended.bytes <= listLimitBytes(seen.control[this.#which].length, this.#parts.limits)) return;
    await this.#grow(seen, name).catch((error: unknown) => {
      // The entries are kept. The list just grows on, and the next one who appends tries again.
      if (!(error instanceof MemqError)) throw error;
    });
  }

  /** Processes that append once each and end would never see that a list is long: some of them look. */
  async #sampled(seen: Seen, name: string): Promise<number> {
    if (this.#parts.random(1) > LOOKS_UP_TO) return 0;
    return (await this.#parts.session.get(this.#key(seen, name)))?.value.length ?? 0;
  }

  /** Lets a new list follow the last one, if it is still the last. */
  async #grow(seen: Seen, name: string): Promise<void> {
    const { session, control, random } = this.#parts;
    const { epoch } = seen.control;
    const fresh = random(NAME_LETTERS);
    const [added, read] = await session.surely([
      { kind: "add", key: this.#key(seen, fresh), value: "" },
      { kind: "get", key: this.#key(seen, name) },
    ]);
    if (added?.answer.kind === "full") return; // the list grows on; the next one who appends tries again
    const tasks = countTasks(itemOf(read?.answer)?.value.toString("latin1") ?? "");
    const next = await control.change((now) => this.#grown(now, { epoch, name, tasks, fresh }));
    // Only now is it certain that nobody, this process included, can name the new list any more.
    if (next?.control.epoch === epoch && next.control[this.#which].some((list) => list.name === fresh))
      return;
    await session.sure({ kind: "delete", key: this.#key(seen, fresh) });
  }

  #grown(
    now: Control,
    grow: { readonly epoch: string; readonly name: string; readonly tasks: number; readonly fresh: string },
  ): Control | undefined {
    const lists = now[this.#which];
    if (now.epoch !== grow.epoch || lastOf(lists).name !== grow.name) return undefined;
    const counted = { name: grow.name, tasks: grow.tasks };
    return { ...now, [this.#which]: [...lists.slice(0, -1), counted, { name: grow.fresh, tasks: 0 }] };
  }

  #key(seen: Seen, name: string): string {
    return this.#parts.keys.list(seen.control.epoch, name);
  }
}

const struckText = (text: string, struck: ReadonlySet<string>): string =>
  text
    .split(",")
    .map((entry) => (struck.has(entry) ? " ".repeat(entry.length) : entry))
    .join(",");

/** Entries as they stand in a list. */
export const listText = (entries: readonly string[]): string => `${entries.join(",")},`;

/** The list that is appended to. */
export function lastOf(lists: readonly ListRef[]): ListRef {
  const last = lists.at(-1);
  if (last === undefined) throw new Error("a control block names no list"); // decodeControl lets none through
  return last;
}
