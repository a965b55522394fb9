import { MemqError } from "../../errors.ts";
import type { Clock } from "../../ports/clock.ts";
import { controlBytes, decodeControl, encodeControl } from "./control-codec.ts";
import type { DecodedControl } from "./control-codec.ts";
import type { Control } from "./control.ts";
import type { Keys, Random } from "./names.ts";
import type { Reserve } from "./reserve.ts";
import type { ServerTime } from "./server-time.ts";
import { itemOf } from "./session.ts";
import type { Item, Session } from "./session.ts";
import type { Answer, Operation } from "./wire.ts";

/** A control block as it was read, and when, in ms. */
export interface Seen {
  readonly control: Control;
  readonly cas: bigint;
  readonly at: number;
}

interface ControlStoreParts {
  readonly queue: string;
  readonly keys: Keys;
  readonly session: Session;
  readonly reserve: Reserve;
  readonly time: ServerTime;
  readonly clock: Clock;
  readonly random: Random;
}

// Letters of an epoch, a list, an owner, a stake: 47 bits, and few of them live at a time.
export const NAME_LETTERS = 8;

/** Reads and writes the one control block, and remembers it as it was seen last. */
export class ControlStore {
  readonly #parts: ControlStoreParts;
  #latest: Seen | undefined;
  /** What it was read from or written as. */
  #text: Buffer | undefined;
  /** What is being written. */
  #next: { readonly control: Control; readonly text: Buffer } | undefined;

  constructor(parts: ControlStoreParts) {
    this.#parts = parts;
  }

  /** As it was seen last, however long ago. */
  get latest(): Seen | undefined {
    return this.#latest;
  }

  /** The operation that reads it; hand its answer to `take`. */
  get look(): Operation {
    return { kind: "get", key: this.#parts.keys.control };
  }

  /** The block that the answer to `look` brought; undefined when there is none. An unknown answer is asked again. */
  async take(answer: Answer | undefined): Promise<Seen | undefined> {
    if (answer === undefined || answer.kind === "unknown") return this.read();
    const item = itemOf(answer);
    if (item === undefined) {
      this.#latest = undefined;
      return undefined;
    }
    if (item.cas === 0n) throw this.#uncompared();
    const decoded = this.#decode(item);
    switch (decoded.kind) {
      case "control":
        return this.#see(decoded.control, item);
      case "newer":
        throw this.#newer();
      case "broken":
        return this.#clear(item);
    }
  }

  /** An owner that is alone finds what it wrote itself, time and again. */
  #decode({ value, cas }: Item): DecodedControl {
    const { latest } = this;
    const isKnown = latest?.cas === cas && this.#text?.equals(value) === true;
    return isKnown ? { kind: "control", control: latest.control } : decodeControl(value);
  }

  /** The block as it is now; undefined when the queue has none. */
  async read(): Promise<Seen | undefined> {
    return this.take((await this.#parts.session.sure(this.look)).answer);
  }

  /** The block as it is now; begins the queue when there is none. */
  async readOrBegin(): Promise<Seen> {
    const patience = this.#parts.session.patience();
    for (;;) {
      const seen = await this.read();
      if (seen !== undefined) return seen;
      await patience.again();
      await this.#begin();
    }
  }

  /** The operation that puts `next` in the place of the block that was seen; hand its answer to `replaced`. */
  replacing(seen: Seen, next: Control): Operation {
    const text = Buffer.from(encodeControl(next));
    this.#next = { control: next, text };
    return { kind: "replace", key: this.#parts.keys.control, value: text, cas: seen.cas };
  }

  /**
   * Whether `next` stands, by the answer to `replacing`. Where that is unknown it is not believed either way:
   * the caller reads again and finds its own traces, or not.
   */
  async replaced(seen: Seen, next: Control, answer: Answer | undefined): Promise<Seen | undefined> {
    if (answer?.kind === "full") return this.#replaceInReserve(seen, next);
    return this.#stored(next, answer);
  }

  /** One try to put `next` in the place of what was seen; undefined: refused or unknown, read again. */
  async replace(seen: Seen, next: Control): Promise<Seen | undefined> {
    const [answer] = await this.#parts.session.ask([this.replacing(seen, next)]);
    return this.replaced(seen, next, answer);
  }

  /**
   * Changes the block, however many others do at the same time. `decide` may be asked again and again, and
   * answers undefined when there is nothing (more) to change.
   */
  async change(decide: (control: Control) => Control | undefined): Promise<Seen | undefined> {
    const patience = this.#parts.session.patience();
    for (let seen = this.#latest ?? (await this.read()); seen !== undefined; seen = await this.read()) {
      const next = decide(seen.control);
      if (next === undefined) return seen;
      const replaced = await this.replace(seen, next);
      if (replaced !== undefined) return replaced;
      await patience.again();
    }
    return undefined;
  }

  /** Puts back what was set aside for the block; to be called when memory has been freed. */
  async restoreReserve(): Promise<void> {
    if (this.#text !== undefined) await this.#parts.reserve.restore(this.#text.length);
  }

  #stored(next: Control, answer: Answer | undefined): Seen | undefined {
    if (answer?.kind !== "ok") return undefined;
    const value = this.#next?.control === next ? this.#next.text : Buffer.from(encodeControl(next));
    return this.#see(next, { value, cas: answer.cas });
  }

  #see(control: Control, { value, cas }: Item): Seen {
    this.#latest = { control, cas, at: this.#parts.clock.now() };
    this.#text = value;
    return this.#latest;
  }

  async #replaceInReserve(seen: Seen, next: Control): Promise<Seen | undefined> {
    const operation = this.replacing(seen, next);
    const answer = await this.#parts.reserve.instead(operation, controlBytes(encodeControl(next)));
    if (answer.kind === "full") throw this.#full();
    return this.#stored(next, answer);
  }

  async #begin(): Promise<void> {
    const { session, keys, time, random } = this.#parts;
    await time.known();
    const epoch = random(NAME_LETTERS);
    const deadList = random(NAME_LETTERS);
    const control: Control = {
      epoch,
      lists: [{ name: epoch, tasks: 0 }],
      offset: 0,
      closing: false,
      stakes: [],
      sweptTo: time.now(),
      deadLists: [{ name: deadList, tasks: 0 }],
      lost: 0,
    };
    const block = encodeControl(control);
    const lists = await session.surely([
      { kind: "add", key: keys.list(epoch, epoch), value: "" },
      { kind: "add", key: keys.list(epoch, deadList), value: "" },
      { kind: "add", key: keys.minutes(epoch), value: "" },
      ...this.#parts.reserve.setAside(block.length),
    ]);
    if (lists.some(({ answer }) => answer.kind === "full")) throw this.#full();
    // Whatever the answer is: somebody else may have begun it as well, and only one block stands.
    const [answer] = await session.ask([{ kind: "add", key: keys.control, value: block }]);
    if (answer?.kind === "full") throw this.#full();
  }

  // What the block named cannot be found without it. A copy stays for a day, for whoever wants to look.
  async #clear(broken: Item): Promise<undefined> {
    const { session, keys, random } = this.#parts;
    const [again] = await session.getAll([keys.control]);
    if (again?.cas !== broken.cas) return undefined;
    await session.ask([
      {
        kind: "add",
        key: `${keys.control}.broken.${random(NAME_LETTERS)}`,
        value: broken.value,
        ttlSeconds: BROKEN_COPY_SECONDS,
      },
      { kind: "delete", key: keys.control, cas: broken.cas },
    ]);
    this.#latest = undefined;
    return undefined;
  }

  #full(): MemqError {
    const { session, queue } = this.#parts;
    return new MemqError(
      "QUEUE_FULL",
      `memcached at ${session.wire.server} has no memory left for queue "${queue}"`,
    );
  }

  #uncompared(): MemqError {
    const { server } = this.#parts.session.wire;
    return new MemqError(
      "NOT_MEMCACHED",
      `memcached at ${server} compares no versions: was it started with -C?`,
    );
  }

  #newer(): MemqError {
    const { session, queue } = this.#parts;
    return new MemqError(
      "STORE_FOREIGN",
      `queue "${queue}" on memcached at ${session.wire.server} was written by a newer memq`,
    );
  }
}

const BROKEN_COPY_SECONDS = 86_400;
