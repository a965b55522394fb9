import { MemqError, describeError } from "../errors.ts";
import type { Broker, Claim } from "../ports/broker.ts";
import type { Clock } from "../ports/clock.ts";
import type { Listener } from "../telemetry/events.ts";
import { verbOf, type Outcome } from "../task/outcome.ts";
import type { Json } from "../task/task.ts";
import type { Dispatched, Dispatcher, Ending } from "./dispatcher.ts";
import type { Target } from "./registry.ts";
import { decide, maxAttempts, type RetryPolicy } from "./retry-policy.ts";
import type { Settler } from "./settler.ts";

/** What every attempt of a queue's run works with. */
export interface AttemptParts {
  readonly broker: Broker;
  readonly dispatcher: Dispatcher;
  readonly settler: Settler;
  readonly clock: Clock;
  readonly tell: Listener;
  readonly className: string;
  readonly policy: RetryPolicy;
  readonly timeoutMs: number;
  /** The attempts under way, so that the end of the run can abort them. */
  readonly underWay: Map<Claim, Dispatched>;
}

/** One claim's way: target, start, dispatch, settle. Resolves with the ms the handler took; 0 when it was not called. */
export async function attempt(parts: AttemptParts, claim: Claim): Promise<number> {
  const target = parts.dispatcher.target(claim.task.class ?? parts.className, claim.task.method);
  if (typeof target === "string") return bury(parts, claim, new MemqError("HANDLER_UNKNOWN", target));
  const policy = policyOf(parts, target);
  const attempts = maxAttempts(claim.task, policy);
  if (claim.attempt > attempts) return bury(parts, claim, usedUp(claim));
  const last = claim.attempt >= attempts;
  if (!(await start(parts, claim, last))) return 0;
  return run(parts, claim, { target, policy, atOnce: last || claim.alone });
}

/** How one claim is run: what is called, and how its outcome is decided and settled. */
interface Plan {
  readonly target: Target;
  readonly policy: RetryPolicy;
  readonly atOnce: boolean;
}

const policyOf = (parts: AttemptParts, target: Target): RetryPolicy =>
  target.settings.waitsMs === undefined ? parts.policy : { waitsMs: target.settings.waitsMs };

const usedUp = (claim: Claim): Error =>
  new Error(`its ${String(claim.attempt - 1)} attempts are used up; the last one ended with its process`);

/** False when it must not be run: the lease is lost, or the task was cancelled. */
async function start(parts: AttemptParts, claim: Claim, last: boolean): Promise<boolean> {
  const started = parts.broker.start(claim, { last });
  const answer = typeof started === "string" ? started : await started;
  const queue = parts.broker.queue;
  if (answer === "lost") parts.tell({ kind: "leaseLost", queue, task: claim.task });
  if (answer === "cancelled") parts.tell({ kind: "cancelled", queue, task: claim.task });
  return answer === "started";
}

async function run(parts: AttemptParts, claim: Claim, plan: Plan): Promise<number> {
  const startedAtMs = performance.now();
  const timeoutMs = claim.task.timeoutMs ?? plan.target.settings.timeoutMs ?? parts.timeoutMs;
  const dispatched = parts.dispatcher.dispatch(claim, plan.target, timeoutMs);
  const ending = "kind" in dispatched.ending ? dispatched.ending : await underWay(parts, claim, dispatched);
  const ms = performance.now() - startedAtMs;
  await end(parts, claim, { ending, plan, ms });
  return ms;
}

async function underWay(parts: AttemptParts, claim: Claim, dispatched: Dispatched): Promise<Ending> {
  parts.underWay.set(claim, dispatched);
  try {
    return await dispatched.ending;
  } finally {
    parts.underWay.delete(claim);
  }
}

interface Ended {
  readonly ending: Ending;
  readonly plan: Plan;
  readonly ms: number;
}

// A slower handler is acknowledged on its own: a kill then repeats nothing but what was running.
const GROUPED_UP_TO_MS = 5;

async function end(parts: AttemptParts, claim: Claim, { ending, plan, ms }: Ended): Promise<void> {
  if (ending.kind === "threw") return fail(parts, claim, { thrown: ending.thrown, policy: plan.policy });
  const settling = parts.settler.add(claim, { kind: "done" }, plan.atOnce || ms >= GROUPED_UP_TO_MS);
  if (settling !== undefined) await settling;
  // What JSON cannot carry is nobody's loss here: the value is only shown.
  parts.tell({ kind: "done", queue: parts.broker.queue, task: claim.task, ms, result: ending.value as Json });
}

interface Failed {
  readonly thrown: unknown;
  readonly policy: RetryPolicy;
}

async function fail(parts: AttemptParts, claim: Claim, { thrown, policy }: Failed): Promise<void> {
  if (thrown instanceof RunEnded) return handBack(parts, claim, thrown.message);
  const verb = verbOf(thrown);
  if (verb?.kind === "pauseQueue") {
    await parts.broker.pause(parts.clock.now() + verb.forMs);
    return handBack(parts, claim, `${describeError(thrown)} (the queue is paused)`);
  }
  const { task, attempt: number } = claim;
  const failure = { task, attempt: number, thrown, verb, nowMs: parts.clock.now(), jitter: Math.random() };
  await settleFailure(parts, claim, { outcome: decide(failure, policy), thrown });
}

async function settleFailure(
  parts: AttemptParts,
  claim: Claim,
  { outcome, thrown }: { readonly outcome: Outcome; readonly thrown: unknown },
): Promise<void> {
  await parts.settler.add(claim, outcome, true);
  const about = { queue: parts.broker.queue, task: claim.task, attempt: claim.attempt, error: thrown };
  if (outcome.kind === "retry") parts.tell({ kind: "retry", ...about, at: outcome.at });
  else parts.tell({ kind: "dead", ...about });
}

/** A task that nobody can run, or whose attempts are used up, is not started. */
async function bury(parts: AttemptParts, claim: Claim, error: Error): Promise<number> {
  await settleFailure(parts, claim, { outcome: { kind: "dead", reason: error.message }, thrown: error });
  return 0;
}

async function handBack(parts: AttemptParts, claim: Claim, why: string): Promise<void> {
  await parts.settler.flush();
  await parts.broker.release([claim]);
  parts.tell({ kind: "handedBack", queue: parts.broker.queue, task: claim.task, why });
}

/** The reason with which the end of a run aborts what still runs: it goes back uncharged. */
export class RunEnded extends Error {
  override readonly name = "RunEnded";
}
