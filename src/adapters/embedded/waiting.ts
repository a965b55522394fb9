import type { Bell } from "../../host/bell.ts";
import { mustEmptyHands } from "./claiming.ts";
import { nextDueAt, pausedUntil } from "./idle.ts";
import type { Owner } from "./owner.ts";
import { front, suspects } from "./selection.ts";
import type { Shrinker } from "./shrinking.ts";
import type { StoredQueue } from "./stored-queue.ts";
import { hasGone } from "./succession.ts";

// How long a ring that was not heard, or a holder's death, may go unnoticed.
const LOOK_AGAIN_MS = 500;

// Without a reason the system makes an error, and a stack for it, before anybody wakes up.
const WOKEN = "woken";

/** How long a wait lasts, and what is looked at meanwhile. */
export interface Wait {
  readonly untilMs: number;
  readonly signal: AbortSignal;
  readonly bell: Bell;
  readonly shrinker: Shrinker;
}

interface View {
  readonly claimable: boolean;
  /** How many tasks waited, by the queue's own count. */
  readonly waiting: number;
  /** When there may be more to claim by itself. */
  readonly changesAt: number | undefined;
}

/** Resolves when something may be claimed, at `untilMs`, or when `signal` is aborted. */
export async function wait(queue: StoredQueue, owner: Owner, wish: Wait): Promise<void> {
  const { untilMs, signal, bell, shrinker } = wish;
  let nap = new AbortController();
  const wake = (): void => {
    nap.abort(WOKEN);
  };
  signal.addEventListener("abort", wake);
  // Listening begins before looking: what happens in between is heard.
  const stopListening = bell.listen(wake);
  try {
    while (!signal.aborted && queue.clock.now() < untilMs) {
      nap = new AbortController();
      const { claimable, waiting, changesAt } = await queue.connection.read(() => look(queue, owner));
      if (claimable) return;
      await shrinker.slice();
      const at = Math.min(untilMs, changesAt ?? untilMs, queue.clock.now() + LOOK_AGAIN_MS);
      await queue.clock.until(at, nap.signal);
      if (nap.signal.aborted && (await hasGrown(queue, owner, waiting))) return;
    }
  } finally {
    stopListening();
    signal.removeEventListener("abort", wake);
  }
}

/**
 * Whether more waits than before, for an owner with empty hands: what can be seen from the queue's row alone. The claim
 * that follows looks at the rest, and need not do it for the second time while a task waits for its handler.
 */
function hasGrown(queue: StoredQueue, owner: Owner, before: number): Promise<boolean> {
  if (owner.heldCount > 0) return Promise.resolve(false);
  return queue.connection.read(() => {
    const row = queue.row();
    return row !== undefined && row.waiting > before && pausedUntil(row, queue.clock.now()) === undefined;
  });
}

function look(queue: StoredQueue, owner: Owner): View {
  const nowMs = queue.clock.now();
  const row = queue.row();
  if (row === undefined) return { claimable: false, waiting: 0, changesAt: undefined };
  const { waiting } = row;
  const paused = pausedUntil(row, nowMs);
  if (paused !== undefined) return { claimable: false, waiting, changesAt: paused };
  return {
    waiting,
    claimable: hasTask(queue, owner, row.id) || hasGone(queue, owner, row.id),
    changesAt: nextDueAt(queue, row.id, nowMs),
  };
}

function hasTask(queue: StoredQueue, owner: Owner, number: number): boolean {
  const nowMs = queue.clock.now();
  const suspectWaits = suspects(queue, number)(1, owner.newer).length > 0;
  if (suspectWaits && owner.heldCount === 0) return true;
  if (mustEmptyHands(owner, suspectWaits, nowMs)) return false;
  return front(queue, number, nowMs)(1, owner.newer).length > 0;
}
