import { MemqError, describeError } from "../errors.ts";
import type { Broker, Claim, Started } from "../ports/broker.ts";
import type { Clock } from "../ports/clock.ts";
import type { Listener } from "../telemetry/events.ts";
import { verbOf, type Outcome } from "../task/outcome.ts";
import type { Json } from "../task/task.ts";
import type { Dispatcher, Ending } from "./dispatcher.ts";
import { keepOf, type KeepingParts } from "./keeping.ts";
import { proceed } from "./proceed.ts";
import type { Target } from "./registry.ts";
import { decide, maxAttempts, type RetryPolicy } from "./retry-policy.ts";
import type { Recorded, Settler } from "./settler.ts";
import { RunEnded, type UnderWay } from "./under-way.ts";

/** What every attempt of a queue's run works with. */
export interface AttemptParts extends KeepingParts {
  readonly broker: Broker;
  readonly dispatcher: Dispatcher;
  readonly settler: Settler;
  readonly underWay: UnderWay;
  readonly clock: Clock;
  readonly tell: Listener;
  readonly className: string;
  readonly policy: RetryPolicy;
  readonly timeoutMs: number;
  /** Stops this run, and all others, from claiming until then. */
  readonly pause: (untilMs: number) => Promise<void>;
  /** Told before each attempt how long it may take. */
  readonly attemptBegins?: (timeoutMs: number) => void;
  /** What is known of the end of the process that a task ran in last, as the end of a sentence. Default: nothing. */
  readonly lastWords?: ((id: string) => Promise<string>) | undefined;
  /** Told of an attempt that may be its task's last, with its timeout in ms; what it answers is called when it has ended. */
  readonly atRisk?: ((id: string, timeoutMs: number) => () => void) | undefined;
}

/**
 * One claim's way: target, start, dispatch, settle. Answers the ms the handler took, 0 when it was not called;
 * at once where nothing had to be waited for. Throws or rejects only when the broker fails.
 */
export function attempt(parts: AttemptParts, claim: Claim): number | Promise<number> {
  const target = parts.dispatcher.target(claim.task.class ?? parts.className, claim.task.method);
  if (typeof target === "string") return bury(parts, claim, new MemqError("HANDLER_UNKNOWN", target));
  const policy = policyOf(parts, target);
  const attempts = maxAttempts(claim.task, policy);
  // Beyond the last attempt a handler's own retryLater may have led; a death may not.
  if (claim.alone && claim.attempt > attempts && !isMispresumed(claim, attempts))
    return buryUsedUp(parts, claim);
  const last = claim.attempt >= attempts;
  const timeoutMs = claim.task.timeoutMs ?? target.settings.timeoutMs ?? parts.timeoutMs;
  const plan = { target, policy, timeoutMs, atOnce: last || claim.alone };
  parts.attemptBegins?.(timeoutMs);
  return proceed(parts.broker.start(claim, { last, timeoutMs }), (started) =>
    mayRun(parts, claim, started) ? run(parts, claim, plan) : 0,
  );
}

/** A task with a single attempt is on record before it is started: had it been, nobody would have to presume it. */
const isMispresumed = (claim: Claim, attempts: number): boolean => claim.presumed === true && attempts === 1;

/** How one claim is run: what is called, and how its outcome is decided and settled. */
interface Plan {
  readonly target: Target;
  readonly policy: RetryPolicy;
  readonly timeoutMs: number;
  readonly atOnce: boolean;
}

const policyOf = (parts: AttemptParts, target: Target): RetryPolicy =>
  target.settings.waitsMs === undefined ? parts.policy : { waitsMs: target.settings.waitsMs };

async function buryUsedUp(parts: AttemptParts, claim: Claim): Promise<number> {
  const end = (await parts.lastWords?.(claim.task.id)) ?? "";
  const attempts = String(claim.attempt - 1);
  return bury(
    parts,
    claim,
    new Error(`its attempts (${attempts}) are used up; the last one ended with its process${end}`),
  );
}

/** False when the lease is lost, or the task was cancelled. */
function mayRun(parts: AttemptParts, { task }: Claim, started: Started): boolean {
  const { queue } = parts.broker;
  if (started === "lost") parts.tell({ kind: "leaseLost", queue, task });
  if (started === "cancelled") parts.tell({ kind: "cancelled", queue, task });
  return started === "started";
}

function run(parts: AttemptParts, claim: Claim, plan: Plan): number | Promise<number> {
  const startedAtMs = performance.now();
  const survived = plan.atOnce ? parts.atRisk?.(claim.task.id, plan.timeoutMs) : undefined;
  const dispatched = parts.dispatcher.dispatch(claim, plan.target, plan.timeoutMs);
  const ending = "kind" in dispatched.ending ? dispatched.ending : parts.underWay.watch(dispatched);
  return proceed(ending, (ended) => {
    const endedAtMs = performance.now();
    const ms = endedAtMs - startedAtMs;
    survived?.();
    return proceed(end(parts, claim, { ending: ended, plan, ms, endedAtMs }), () => ms);
  });
}

// A slower handler is acknowledged on its own: a kill then repeats nothing but what was running.
const GROUPED_UP_TO_MS = 5;
const DONE: Outcome = { kind: "done" };

interface Ended {
  readonly ending: Ending;
  readonly plan: Plan;
  readonly ms: number;
  readonly endedAtMs: number;
}

function end(
  parts: AttemptParts,
  claim: Claim,
  { ending, plan, ms, endedAtMs }: Ended,
): Promise<void> | undefined {
  if (ending.kind === "threw") return fail(parts, claim, { thrown: ending.thrown, policy: plan.policy });
  const { task } = claim;
  // What JSON cannot carry is nobody's loss here: the value is only shown.
  const event = { kind: "done", queue: parts.broker.queue, task, ms, result: ending.value as Json } as const;
  const keep = keepOf(claim, { value: ending.value, ms }, parts);
  const recorded = { claim, outcome: DONE, event, ...(keep && { keep }) };
  return parts.settler.add(recorded, plan.atOnce || ms >= GROUPED_UP_TO_MS, endedAtMs);
}

interface Failed {
  readonly thrown: unknown;
  readonly policy: RetryPolicy;
}

async function fail(parts: AttemptParts, claim: Claim, { thrown, policy }: Failed): Promise<void> {
  if (thrown instanceof RunEnded) return handBack(parts, claim, thrown.message);
  const verb = verbOf(thrown);
  if (verb?.kind === "pauseQueue") {
    await parts.pause(parts.clock.now() + verb.forMs);
    return handBack(parts, claim, `${describeError(thrown)} (the queue is paused)`);
  }
  const { task, attempt: number, askedFrom } = claim;
  const [nowMs, jitter] = [parts.clock.now(), Math.random()];
  const failure = { task, attempt: number, askedFrom, thrown, verb, nowMs, jitter };
  await parts.settler.add(failed(parts, claim, { outcome: decide(failure, policy), thrown }), true);
}

interface Decided {
  readonly outcome: Outcome;
  readonly thrown: unknown;
}

function failed(parts: AttemptParts, claim: Claim, { outcome, thrown }: Decided): Recorded {
  const about = { queue: parts.broker.queue, task: claim.task, attempt: claim.attempt, error: thrown };
  if (outcome.kind !== "retry") return { claim, outcome, event: { kind: "dead", ...about } };
  return { claim, outcome, event: { kind: "retry", ...about, at: outcome.at } };
}

/** A task that nobody can run, or whose attempts are used up, is not started; nothing is lost when it is grouped. */
function bury(parts: AttemptParts, claim: Claim, error: Error): number | Promise<number> {
  const outcome = { kind: "dead", reason: error.message } as const;
  const event = {
    kind: "dead",
    queue: parts.broker.queue,
    task: claim.task,
    attempt: claim.attempt - 1, // this one is not started
    error,
  } as const;
  const settling = parts.settler.add({ claim, outcome, event }, claim.alone);
  return proceed(settling, () => 0);
}

async function handBack(parts: AttemptParts, claim: Claim, why: string): Promise<void> {
  await parts.broker.release([claim]);
  parts.tell({ kind: "handedBack", queue: parts.broker.queue, task: claim.task, why });
}
