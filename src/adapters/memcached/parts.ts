import type { Clock } from "../../ports/clock.ts";
import type { Codec } from "../../task/codec.ts";
import type { ControlStore } from "./control-store.ts";
import type { Keys, Random } from "./names.ts";
import type { Reserve } from "./reserve.ts";
import type { ServerTime } from "./server-time.ts";
import type { Session } from "./session.ts";

/** What everything that works on one queue is given. */
export interface Parts {
  readonly queue: string;
  readonly keys: Keys;
  readonly codec: Codec;
  readonly clock: Clock;
  readonly random: Random;
  readonly session: Session;
  readonly reserve: Reserve;
  readonly time: ServerTime;
  readonly control: ControlStore;
  readonly limits: Limits;
}

/** How much of something there is before something else is done. Tests want less. */
export interface Limits {
  /** From which length on a list is followed by a new one, while lists are few. */
  readonly listBytes: number;
  /** From which length on a bucket goes on in parts, and a part in another one. */
  readonly bucketBytes: number;
  /** How many starts an owner puts on record before it may conclude that its tasks are too fast for that. */
  readonly markedStarts: number;
}

export const LIMITS: Limits = {
  // A list is read whole by whoever claims from it, and copied whole by the server at every append.
  listBytes: 2_048,
  // A bucket is read whole, second by second while its minute passes; more names than are counted exactly.
  bucketBytes: 16_384,
  markedStarts: 16,
};
