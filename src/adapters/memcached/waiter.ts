import type { Bell } from "../../host/bell.ts";
import { unclaimedFrom } from "./control.ts";
import type { Control, Stake } from "./control.ts";
import type { Delayed } from "./delayed.ts";
import { bucketOf, secondsIn } from "./bucket.ts";
import { heartbeatsOf } from "./owner.ts";
import type { Parts } from "./parts.ts";
import { itemOf } from "./session.ts";
import type { Item } from "./session.ts";
import type { Operation } from "./wire.ts";

// A task that comes while the queue is idle waits half of this on average; a poll is one round trip.
const FIRST_POLL_MS = 50;
const SLOWEST_POLL_MS = 1_000;

// Without a reason the system makes an error, and a stack for it, before anybody wakes up.
const WOKEN = "woken";

/** Waits until there may be something to claim: hears of what this host publishes, and looks for the rest. */
export class Waiter {
  readonly #parts: Parts;
  readonly #delayed: Delayed;
  readonly #isMine: (stake: Stake) => boolean;
  readonly #bell: Bell;

  constructor(
    parts: Parts,
    tools: {
      readonly delayed: Delayed;
      readonly isMine: (stake: Stake) => boolean;
      readonly bell: Bell;
    },
  ) {
    this.#parts = parts;
    this.#bell = tools.bell;
    this.#delayed = tools.delayed;
    this.#isMine = tools.isMine;
  }

  async wait(untilMs: number, signal: AbortSignal): Promise<void> {
    let nap = new AbortController();
    const wake = (): void => {
      nap.abort(WOKEN);
    };
    signal.addEventListener("abort", wake);
    this.#bell.hang();
    // Listening begins before looking: what happens in between is heard.
    const stopListening = this.#bell.listen(wake);
    try {
      await this.#look(untilMs, signal, () => (nap = new AbortController()).signal);
    } finally {
      stopListening();
      signal.removeEventListener("abort", wake);
    }
  }

  /** `nap`: a new signal that ends the next pause. */
  async #look(untilMs: number, signal: AbortSignal, nap: () => AbortSignal): Promise<void> {
    const { clock, control, time } = this.#parts;
    for (let pollMs = FIRST_POLL_MS; ; pollMs = Math.min(pollMs * 2, SLOWEST_POLL_MS)) {
      if (signal.aborted || clock.now() >= untilMs) return;
      const rung = nap();
      await time.known();
      if (await this.#mayClaim()) return;
      await clock.until(Math.min(untilMs, clock.now() + pollMs), rung);
      // A claim follows, and looks by itself: a task need not wait for its handler until both have looked.
      if (rung.aborted && !this.#isPaused(control.latest?.control)) return;
    }
  }

  async #mayClaim(): Promise<boolean> {
    const { control, session } = this.#parts;
    const latest = control.latest?.control;
    const [block, list] = await session.surely([control.look, this.#readingHead(latest)]);
    const now = (await control.take(block?.answer))?.control;
    if (now === undefined) return false;
    if (this.#isPaused(now)) return false;
    return (
      hasMore(now, latest, itemOf(list?.answer)) || (await this.#isOrphaned(now)) || (await this.#isDue(now))
    );
  }

  #isPaused(control: Control | undefined): boolean {
    const { time, clock } = this.#parts;
    return (control?.pausedUntilMs ?? 0) > time.serverMs(clock.now());
  }

  #readingHead(latest: Control | undefined): Operation {
    const [first] = latest?.lists ?? [];
    return { kind: "get", key: this.#parts.keys.list(latest?.epoch ?? "", first?.name ?? "") };
  }

  async #isOrphaned(control: Control): Promise<boolean> {
    const others = control.stakes.filter((stake) => !this.#isMine(stake));
    if (others.some(({ owner }) => owner === "")) return true;
    const beats = await heartbeatsOf(this.#parts, [...new Set(others.map(({ owner }) => owner))]);
    return [...beats.values()].some(({ alive }) => !alive);
  }

  async #isDue(control: Control): Promise<boolean> {
    const now = this.#parts.time.now();
    // What fell due before the last minute was seen by the claim before this wait.
    const minutes = [bucketOf(now) - 1, bucketOf(now)];
    const buckets = await this.#delayed.read(control.epoch, minutes);
    return buckets.flatMap(secondsIn).some((second) => second > control.sweptTo && second <= now);
  }
}

/** Whether something may be in the lists; `head`: what was the first one when the block was seen before. */
function hasMore(now: Control, before: Control | undefined, head: Item | undefined): boolean {
  if (now.lists.length > 1 || now.lists[0]?.name !== before?.lists[0]?.name) return true;
  const bytes = head?.value.length ?? 0;
  return bytes > unclaimedFrom(now, bytes);
}
