import { MemqError } from "../errors.ts";
import { durationMs } from "./duration.ts";
import type { Json } from "./task.ts";

/** How one attempt ended. */
export type Outcome =
  | { readonly kind: "done"; readonly result?: Json }
  | {
      readonly kind: "retry";
      readonly at: number;
      readonly error: string;
      /** The attempt that first asked for a number of more runs; kept with the task until it is put back. */
      readonly askedFrom?: number;
    }
  | { readonly kind: "dead"; readonly reason: string };

/** A handler's wish, thrown instead of an error. */
export type Verb =
  | { readonly kind: "retryLater"; readonly times?: number; readonly delayMs?: number }
  | { readonly kind: "giveUp" }
  | { readonly kind: "pauseQueue"; readonly forMs: number };

// A handler may import another copy of this package than the command that runs it: a registered
// symbol is the same in both, a class is not.
const VERB = Symbol.for("memq.verb");

class HandlerVerb extends Error {
  override readonly name = "HandlerVerb";
  readonly [VERB]: Verb;

  constructor(reason: string, verb: Verb) {
    super(reason);
    this[VERB] = verb;
  }
}

// As for a task's own retries: what failed this often needs a person.
const MAX_TIMES = 1_000;

/**
 * Throw it to have the task run again: `throw retryLater("shop is closed", { times: 3, delay: "5m" })`.
 * `times` is how many more runs there are, from when it was first said (default: as the queue's retry policy says),
 * `delay` the wait before each (ms or a duration; default: the policy's). When they are used up the task becomes a
 * dead letter. What failed in other ways before does not count.
 */
export function retryLater(reason: string, options: { times?: number; delay?: number | string } = {}): Error {
  return new HandlerVerb(reason, {
    kind: "retryLater",
    ...(options.times !== undefined && { times: checkedTimes(options.times) }),
    ...(options.delay !== undefined && { delayMs: durationMs(options.delay) }),
  });
}

function checkedTimes(times: number): number {
  if (Number.isInteger(times) && times >= 0 && times <= MAX_TIMES) return times;
  throw new MemqError(
    "ARGS_INVALID",
    `retryLater: times is a whole number from 0 to ${String(MAX_TIMES)}, not ${String(times)}`,
  );
}

/** Throw it when another run would not help: the task becomes a dead letter at once. */
export function giveUp(reason: string): Error {
  return new HandlerVerb(reason, { kind: "giveUp" });
}

/** Throw it to stop claiming from this queue for a while; the task goes back uncharged. `for`: ms or a duration. */
export function pauseQueue(reason: string, options: { for: number | string }): Error {
  return new HandlerVerb(reason, { kind: "pauseQueue", forMs: durationMs(options.for) });
}

/** The verb that a handler threw; undefined for anything else, whatever it is. */
export function verbOf(thrown: unknown): Verb | undefined {
  if (typeof thrown !== "object" || thrown === null) return undefined;
  try {
    return Object.getOwnPropertyDescriptor(thrown, VERB)?.value as Verb | undefined;
  } catch {
    return undefined; // a proxy that cannot be looked at is no verb of ours
  }
}
