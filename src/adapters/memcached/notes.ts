import { MemqError } from "../../errors.ts";
import { assertNote } from "../../ports/notes.ts";
import type { Note, Notes } from "../../ports/notes.ts";
import { NAME_LETTERS } from "./control-store.ts";
import type { Parts } from "./parts.ts";
import type { Operation } from "./wire.ts";

/**
 * The notes of a queue: an item each, that never expires. Every write carries letters of its own: when an answer
 * was lost, the writer finds them again in the item, or not, and so knows whether the write was done.
 */
export class MemcachedNotes implements Notes {
  readonly #parts: Pick<Parts, "queue" | "keys" | "session" | "random">;

  constructor(parts: Pick<Parts, "queue" | "keys" | "session" | "random">) {
    this.#parts = parts;
  }

  async read(name: string): Promise<Note | undefined> {
    const { session, keys } = this.#parts;
    const item = await session.get(keys.note(name));
    return item && { value: valueIn(item.value), version: String(item.cas) };
  }

  async write(name: string, value: string, expected: string | undefined): Promise<boolean> {
    assertNote(name, value);
    const { session, keys, random } = this.#parts;
    const key = keys.note(name);
    const written = `${random(NAME_LETTERS)}${value}`;
    // Harmless twice: a second try meets another version, and the letters tell whose.
    const { answer, repeated } = await session.sure(storing(key, written, expected));
    switch (answer.kind) {
      case "ok":
        return true;
      case "exists":
      case "missing":
        return repeated && (await session.get(key))?.value.toString() === written;
      case "full":
      case "tooLarge":
        throw this.#noRoom();
    }
  }

  #noRoom(): MemqError {
    const { session, queue } = this.#parts;
    return new MemqError(
      "QUEUE_FULL",
      `memcached at ${session.wire.server} has no memory left for a note of queue "${queue}"`,
    );
  }
}

const storing = (key: string, value: string, expected: string | undefined): Operation =>
  expected === undefined
    ? { kind: "add", key, value }
    : { kind: "replace", key, value, cas: BigInt(expected) };

const valueIn = (item: Buffer): string => item.subarray(NAME_LETTERS).toString("utf8");
