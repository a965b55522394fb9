import type { Clock } from "../../ports/clock.ts";
import type { Session } from "./session.ts";

// The server counts seconds with a timer of one second: its time is up to two behind.
const SERVER_STEP_MS = 2_000;

// The server's time began at a whole second, and its timer drifts through the second: clocks that agree may seem to
// be three seconds apart. What is less than that is taken as nothing, at either end, or one look at the server would
// contradict another.
const AGREEING_MS = 3_000;

// A clock that drifts is noticed within this.
const MEASURE_EVERY_MS = 600_000;
// One that was set, at once: by less than this a clock may be taken for another.
const SET_BY_MS = 100;

/**
 * The server's time, the one that all hosts share, told by this host's clock and the difference between the
 * two. What was measured leaves a span of two seconds: a clock that agrees is taken as it is, else a publisher takes
 * the later end and a claimer the earlier one, so that nothing is ever early.
 */
export class ServerTime {
  readonly #session: Session;
  readonly #clock: Clock;
  #span: Span | undefined;

  constructor(session: Session, clock: Clock) {
    this.#session = session;
    this.#clock = clock;
  }

  /** To be awaited before the time is asked for; measures once in a while, and when this host's clock was set. */
  async known(): Promise<void> {
    if (this.#span !== undefined && isRecent(this.#span, this.#moment())) return;
    const asked = this.#moment();
    const stats = await this.#session.stats();
    this.#span = spanOf(Number(stats.get("time")) * 1_000, asked, this.#moment());
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

  #moment(): Moment {
    return { at: this.#clock.now(), upMs: this.#clock.upMs() };
  }
}

/** The same moment by the clock of this host, and by one that is never set. */
interface Moment {
  readonly at: number;
  readonly upMs: number;
}

/** What is to be added to this host's time: not less than `low`, not more than `high`. */
interface Span {
  readonly low: number;
  readonly high: number;
  readonly measured: Moment;
}

function isRecent({ measured }: Span, { at, upMs }: Moment): boolean {
  const passedMs = upMs - measured.upMs;
  return passedMs < MEASURE_EVERY_MS && Math.abs(at - measured.at - passedMs) < SET_BY_MS;
}

/** @param asked, answered before and after the server told `serverMs` */
function spanOf(serverMs: number, asked: Moment, answered: Moment): Span {
  if (!Number.isFinite(serverMs)) return { low: 0, high: 0, measured: answered };
  const low = serverMs - answered.at;
  const high = serverMs + SERVER_STEP_MS - asked.at;
  return { low: unlessAgreeing(low), high: unlessAgreeing(high), measured: answered };
}

/** Never falls where its argument rises: so no claimer's end is ever later than any publisher's. */
const unlessAgreeing = (differenceMs: number): number =>
  Math.abs(differenceMs) <= AGREEING_MS ? 0 : differenceMs;
