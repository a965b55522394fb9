/** What to do about a failure. */
export interface Again {
  /** It is the first after a time without any: worth a line. */
  readonly isFirst: boolean;
  /** How long to wait before the next try. */
  readonly waitMs: number;
}

const SHORTEST_MS = 1_000;
const LONGEST_MS = 30_000;
// What has worked for a minute was no flicker: what fails then is news.
const HEALTHY_MS = 60_000;

/** How long to wait before the next try: a second, doubling up to 30 s, until one has worked for a minute. */
export class Backoff {
  #waitMs = 0;
  #beganMs: number | undefined;

  /** A try works. `nowMs`: of any clock that nobody sets. */
  began(nowMs: number): void {
    this.#beganMs = nowMs;
  }

  failed(nowMs: number): Again {
    const wasHealthy = this.#beganMs !== undefined && nowMs - this.#beganMs >= HEALTHY_MS;
    const isFirst = wasHealthy || this.#waitMs === 0;
    this.#waitMs = isFirst ? SHORTEST_MS : Math.min(2 * this.#waitMs, LONGEST_MS);
    this.#beganMs = undefined;
    return { isFirst, waitMs: this.#waitMs };
  }
}
