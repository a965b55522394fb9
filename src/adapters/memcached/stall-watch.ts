// Fine enough for waits of seconds; a process that waits for a server has little else to do.
const TICK_MS = 100;

// A megabyte, memcached's largest item, takes less on any usable network. A server that sends a byte now
// and then would else be waited for without end.
const MAX_PART_MS = 30_000;

/**
 * Tells when a server has been silent for too long, on this process's own time: while the event loop is
 * blocked, or the process stopped, at most one tick passes, and what has arrived meanwhile is read before
 * anything is decided. A watch that is on keeps the process alive.
 */
export class StallWatch {
  readonly #onStall: () => void;
  #timer: NodeJS.Timeout | undefined;
  #isOn = false;
  #limitMs = 0;
  #silentMs = 0;
  #sinceProgressMs = 0;

  constructor(onStall: () => void) {
    this.#onStall = onStall;
  }

  /** Calls `onStall` after `limitMs` without progress; counting starts anew. */
  start(limitMs: number): void {
    this.#limitMs = limitMs;
    this.#isOn = true;
    this.progress();
    if (this.#timer === undefined) this.#timer = setInterval(this.#tick, TICK_MS);
    else this.#timer.ref();
  }

  /** The server answered, or took what it was sent. */
  progress(): void {
    this.#silentMs = 0;
    this.#sinceProgressMs = 0;
  }

  /** A part of an answer came: progress for now, but not for ever. */
  heard(): void {
    if (this.#sinceProgressMs < MAX_PART_MS) this.#silentMs = 0;
  }

  /** The timer itself goes with its next tick: most often the next question comes before that. */
  stop(): void {
    this.#isOn = false;
    this.#timer?.unref();
  }

  readonly #tick = (): void => {
    if (!this.#isOn) {
      clearInterval(this.#timer);
      this.#timer = undefined;
      return;
    }
    this.#silentMs += TICK_MS;
    this.#sinceProgressMs += TICK_MS;
    // Timers come before the sockets in a turn of the event loop, immediates after them.
    if (this.#stalled()) {
      setImmediate(() => {
        if (this.#stalled()) this.#onStall();
      });
    }
  };

  #stalled(): boolean {
    return this.#isOn && this.#silentMs >= this.#limitMs;
  }
}
