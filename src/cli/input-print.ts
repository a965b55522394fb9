import { createHash } from "node:crypto";
import type { InputPlace } from "./bulk-lines.ts";

/** A place in an input, and what it was behind. */
export interface PrintedPlace extends InputPlace {
  /** Of all bytes before it. */
  readonly print: string;
}

/**
 * The fingerprint of an input, as far as it is read: of the part that was published, so that the input may have
 * grown since, but not be another.
 */
export class InputPrint {
  readonly #hash = createHash("sha256");
  /** Read and not in the hash yet. */
  readonly #pieces: Buffer[] = [];
  #hashed = 0;

  /** `about`: what else has to be the same. */
  constructor(about: string) {
    this.#hash.update(`${about}\n`);
  }

  /** What comes behind a place. `refuse`: thrown when what is before it is not what was there. */
  async *behind(
    bytes: AsyncIterable<Buffer | string>,
    place: PrintedPlace | undefined,
    refuse: () => Error,
  ): AsyncGenerator<Buffer> {
    const pieces = this.#noted(bytes);
    try {
      const rest = place === undefined ? undefined : await this.#passed(pieces, place);
      if (rest === false) throw refuse();
      if (rest !== undefined) yield rest;
      yield* pieces;
    } finally {
      await pieces.return(undefined);
    }
  }

  async *#noted(bytes: AsyncIterable<Buffer | string>): AsyncGenerator<Buffer, undefined> {
    for await (const piece of bytes) {
      const buffer = typeof piece === "string" ? Buffer.from(piece) : piece;
      this.#pieces.push(buffer);
      yield buffer;
    }
  }

  /** Reads up to a place; what was read behind it, or false: it is not the same. */
  async #passed(pieces: AsyncIterator<Buffer>, place: PrintedPlace): Promise<Buffer | false> {
    let rest: Buffer = Buffer.alloc(0);
    for (let left = place.bytes; left > 0;) {
      const next = await pieces.next();
      if (next.done === true) return false;
      rest = next.value.subarray(Math.min(left, next.value.length));
      left -= next.value.length - rest.length;
      if (left > 0) this.#take(place.bytes - left);
    }
    return this.upTo(place.bytes) === place.print && rest;
  }

  /** The fingerprint of the first `bytes` bytes, which are read, and none of them asked for before. */
  upTo(bytes: number): string {
    this.#take(bytes);
    return this.#hash.copy().digest("base64url");
  }

  #take(bytes: number): void {
    while (this.#hashed < bytes) {
      const piece = this.#pieces.shift();
      if (piece === undefined) return;
      const most = bytes - this.#hashed;
      this.#hash.update(piece.subarray(0, most));
      this.#hashed += Math.min(piece.length, most);
      if (piece.length > most) this.#pieces.unshift(piece.subarray(most));
    }
  }
}
