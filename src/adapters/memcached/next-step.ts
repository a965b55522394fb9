import type { Control, Stake, TaskStake } from "./control.ts";
import { stretchOf } from "./entries.ts";

/** What a claimer knows when it decides what to do next. */
export interface Scene {
  readonly control: Control;
  /** Undefined: the only list is not there. */
  readonly head: Head | undefined;
  /** Whether a stake is anybody's to take. */
  readonly isOrphan: (stake: Stake) => boolean;
  /** A delayed task has fallen due, or the queue's clock is far behind. */
  readonly isSweepDue: boolean;
  /** Seconds and ms of the server's time. */
  readonly now: number;
  readonly nowMs: number;
  /** How many tasks are wanted. */
  readonly limit: number;
}

/** The first list: as it is, or as far as it is known when there is more to claim. */
export interface Head {
  readonly text: string;
}

/** One step of a claimer; each is one write at most, after which it looks again. */
export type NextStep =
  | { readonly kind: "paused"; readonly untilMs: number }
  /** A stake whose owner has died, or has handed it back after it had started some of it. */
  | { readonly kind: "takeOver"; readonly stake: Stake }
  /** A stake that was handed back untouched: `mine` of its entries are wanted, `rest` is left. */
  | {
      readonly kind: "resume";
      readonly stake: TaskStake;
      readonly mine: readonly string[];
      readonly rest: readonly string[];
    }
  | { readonly kind: "sweep"; readonly from: number; readonly to: number }
  /** Entries of the first list, up to `end`; `isLast`: it seems to have no more, and another list follows. */
  | {
      readonly kind: "take";
      readonly entries: readonly string[];
      readonly end: number;
      readonly isLast: boolean;
    }
  /** The first list is used up, and another follows. */
  | { readonly kind: "shut" }
  /** The only list is gone. */
  | { readonly kind: "renew" }
  | { readonly kind: "idle" };

// A stake stands in the control block, which everybody reads whole.
const MOST_ENTRIES = 512;

export function nextStep(scene: Scene): NextStep {
  const { control } = scene;
  if (control.pausedUntilMs !== undefined && control.pausedUntilMs > scene.nowMs) {
    return { kind: "paused", untilMs: control.pausedUntilMs };
  }
  const orphan = control.stakes.find(scene.isOrphan);
  if (orphan !== undefined)
    return isUntouched(orphan) ? resume(orphan, scene.limit) : { kind: "takeOver", stake: orphan };
  if (scene.isSweepDue) return { kind: "sweep", from: control.sweptTo, to: scene.now };
  return headStep(scene);
}

/** Handed back, and none of it was ever started. */
const isUntouched = (stake: Stake): stake is TaskStake =>
  stake.kind === "tasks" && stake.owner === "" && stake.generation === 0;

function resume(stake: TaskStake, limit: number): NextStep {
  const text = stake.entries.join(",");
  const { entries } = stretchOf(text, 0, { tasks: limit, most: MOST_ENTRIES });
  const count = Math.max(1, entries.length);
  return { kind: "resume", stake, mine: stake.entries.slice(0, count), rest: stake.entries.slice(count) };
}

function headStep({ control, head, limit }: Scene): NextStep {
  const isOnly = control.lists.length === 1;
  if (head === undefined) return { kind: "renew" };
  const { entries, end } = stretchOf(head.text, control.offset, { tasks: limit, most: MOST_ENTRIES });
  if (end > control.offset) {
    return {
      kind: "take",
      entries: entries.map((entry) => entry.text),
      end,
      isLast: !isOnly && end >= head.text.length,
    };
  }
  return { kind: isOnly ? "idle" : "shut" };
}
