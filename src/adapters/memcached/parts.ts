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
}
