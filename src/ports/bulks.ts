import { MemqError } from "../errors.ts";
import type { Draft } from "../task/task.ts";
import type { Published } from "./published.ts";

/**
 * Bulks that have a name: their tasks are kept together with the place that their publisher has come to, so that
 * it can be killed anywhere and go on without publishing a task twice or leaving one out. What has become of the
 * tasks is counted where the tasks are, never from memory: a bulk is not said to be worked off too early.
 * All of it lives as long as the broker's tasks do.
 */
export interface Bulks {
  /**
   * The bulk as its publisher left it; everything that its place says is kept can be claimed. Undefined: it
   * was never begun. Only for who goes on with it.
   */
  resume(name: string): Promise<BulkState | undefined>;
  /**
   * Keeps drafts as the next part of a bulk, and its new place, both or neither.
   * @throws MemqError BULK_TAKEN when the bulk is not as `expected`; QUEUE_FULL and the like when there is no
   * room: then the bulk is as before, or `resume` brings it to the new place.
   */
  publish(drafts: readonly Draft[], step: BulkStep): Promise<BulkKept>;
  /**
   * Publishes what follows each bulk whose input is at its end and whose tasks are all done, dead or removed; answers
   * how many. Once on a broker whose durability is "disk", whatever dies meanwhile; elsewhere at least once, under a
   * key. Costs one read where nothing follows any bulk.
   */
  conclude(): Promise<number>;
  /** What has become of its tasks. Undefined: it was never begun, or is long over. */
  count(name: string): Promise<BulkCount | undefined>;
}

export interface BulkState {
  /** What the publisher wrote down; means nothing to the broker. */
  readonly place: string;
  /** Changes with every step, and where the broker has it so with who goes on. */
  readonly version: string;
  /** Tasks kept so far. */
  readonly kept: number;
}

/** From one place of a bulk to the next. */
export interface BulkStep {
  readonly name: string;
  /** The version that it goes on from; undefined: it begins. */
  readonly expected: string | undefined;
  /** The new place, by the answers to the drafts; may be asked again; a few bytes. */
  readonly place: (answers: readonly Published[]) => string;
  /** What follows the bulk: no key, no time. Undefined: as the steps before said. */
  readonly then?: Draft | undefined;
  /** The input is at its end. A step that keeps more opens the bulk again. Default false. */
  readonly isLast?: boolean | undefined;
}

export interface BulkKept {
  /** Item by item, in the order of the drafts. */
  readonly answers: readonly Published[];
  readonly version: string;
}

/** `kept` is the sum of the others. */
export interface BulkCount {
  readonly place: string;
  readonly kept: number;
  readonly done: number;
  readonly dead: number;
  /** Waiting, delayed or running. */
  readonly left: number;
  /** Cancelled, purged or replaced; 0 where the broker cannot tell them from done ones. */
  readonly removed: number;
}

/** Of a bulk's name, in UTF-8. */
export const MAX_BULK_NAME_BYTES = 200;

/** For adapters. */
export const bulkTaken = (name: string): MemqError =>
  new MemqError("BULK_TAKEN", `bulk "${name}" was moved on by another publisher`);
