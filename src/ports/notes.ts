import { MemqError } from "../errors.ts";

/**
 * Small values that all owners of a queue share, changed by compare-and-set, so that of several processes that
 * want to change one at the same time exactly one does. They are kept as long as the broker keeps tasks: on a
 * broker in memory a note may be gone at any time, like a task.
 */
export interface Notes {
  /** Undefined: there is none, or none any more. */
  read(name: string): Promise<Note | undefined>;
  /**
   * Puts `value` in place if the note is still the one that was read, by its `version` (undefined: there was
   * none). False: it is another by now, nothing was changed, and whoever asks reads again.
   * @throws MemqError BUG over the limits; QUEUE_FULL, BROKER_UNREACHABLE and the like when it cannot know.
   */
  write(name: string, value: string, expected: string | undefined): Promise<boolean>;
}

/** A note as it was read. */
export interface Note {
  readonly value: string;
  /** Means something only to the broker; never the same for two values of a note. */
  readonly version: string;
}

/** Of a note's value, in UTF-8. Notes are for decisions, not for data. */
export const MAX_NOTE_BYTES = 8_192;

/** Of a note's name, in UTF-8. */
export const MAX_NOTE_NAME_BYTES = 200;

/** For adapters. @throws MemqError BUG when a note is over the limits. */
export function assertNote(name: string, value: string): void {
  const [nameBytes, bytes] = [sizeOf(name), sizeOf(value)];
  if (nameBytes > 0 && nameBytes <= MAX_NOTE_NAME_BYTES && bytes <= MAX_NOTE_BYTES) return;
  const shown = JSON.stringify(name.slice(0, 40));
  throw new MemqError("BUG", `a note ${shown} of ${String(bytes)} bytes, its name of ${String(nameBytes)}`);
}

const sizeOf = (text: string): number => new TextEncoder().encode(text).length;
