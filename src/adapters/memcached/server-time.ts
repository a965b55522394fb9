import type { Clock } from "../../ports/clock.ts";
import type { Session } from "./session.ts";

// The server counts seconds with a timer of one second: its time is up to two behind.
const SERVER_STEP_MS = 2_000;

// A host whose clock was set, or whose clock drifts, is noticed within this.
const MEASURE_EVERY_MS = 600_000;

/**
 * The server's time, the one that all hosts share, told by this host's clock and the difference between the
 * two. What was measured leaves a span of two seconds: a clock that agrees within it is taken as it is, else a
 * publisher takes the later end and a claimer the earlier one, so that nothing is ever early.
 */
export class ServerTime {
  readonly #session: Session;
  readonly #clock: Clock;
  #span: Span | undefined;

  constructor(session: Session, clock: Clock) {
    this.#session = session;
    this.#clock = clock;
  }

  /** To be awaited before the time is asked for; measures once in a while. */
  async known(): Promise<void> {
    const now = this.#clock.now();
    const age = this.#span === undefined ? Infinity : now - this.#span.measuredAt;
    if (age >= 0 && age < MEASURE_EVERY_MS) return;
    const stats = await this.#session.stats();
    this.#span = spanOf(Number(stats.get("time")) * 1_000, now, this.#clock.now());
  }

  /** The second it certainly is. */
  now(): number {
    return Math.floor((this.#clock.now() + this.#low) / 1_000);
  }

  /** The second of a time on this host's clock that is certainly not before it. */
  notBefore(ms: number): number {
    return Math.ceil((ms + this.#high) / 1_000);
  }

  /** A second of the server's as ms on this host's clock. */
  local(second: number): number {
    return second * 1_000 - this.#low;
  }

  /** Ms on this host's clock as ms of the server's. */
  serverMs(ms: number): number {
    return Math.ceil(ms + this.#high);
  }

  /** Ms of the server's as ms on this host's clock. */
  localMs(serverMs: number): number {
    return serverMs - this.#low;
  }

  get #low(): number {
    return this.#span?.low ?? 0;
  }

  get #high(): number {
    return this.#span?.high ?? 0;
  }
}

/** What is to be added to this host's time: not less than `low`, not more than `high`. */
interface Span {
  readonly low: number;
  readonly high: number;
  readonly measuredAt: number;
}

/** @param askedAt, answeredAt this host's time before and after the server told `serverMs` */
function spanOf(serverMs: number, askedAt: number, answeredAt: number): Span {
  const low = serverMs - answeredAt;
  const high = serverMs + SERVER_STEP_MS - askedAt;
  if (!Number.isFinite(serverMs) || (low <= 0 && high >= 0))
    return { low: 0, high: 0, measuredAt: answeredAt };
  return { low, high, measuredAt: answeredAt };
}
