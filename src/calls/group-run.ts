import { MemqError } from "../errors.ts";
import { MAX_BATCH } from "../ports/broker.ts";
import type { TaskEnd } from "../ports/results.ts";
import type { BulkItem, BulkOutcome, Publisher } from "../publish/publisher.ts";
import { keepFor, timedOut, valueOf, waitMs, type Waiting } from "./answer.ts";
import type { Completion, GroupCall, GroupOptions, OnComplete } from "./group.ts";

/** A queue, to publish to and to wait at. */
export interface GroupQueue extends Waiting {
  readonly publisher: Publisher;
}

// Every look looks at each of them.
const MAX_CALLS = 10_000;

/** A call, and its place in the group. */
interface Placed {
  readonly place: number;
  readonly call: GroupCall;
}

/** What all of a group share. */
interface Errand {
  readonly queueOf: (name: string | undefined) => Promise<GroupQueue>;
  readonly forMs: number;
  readonly complete: (place: number, completion: Completion) => void;
  readonly stop: AbortSignal;
}

/** Makes the calls of a group and waits for all of them: see `Group.run`. */
export async function runGroup(
  queueOf: Errand["queueOf"],
  calls: readonly GroupCall[],
  { tell, ...options }: GroupOptions & { readonly tell: OnComplete },
): Promise<readonly Completion[]> {
  if (calls.length > MAX_CALLS) throw tooMany(calls.length);
  const forMs = waitMs(options);
  const stop = new AbortController();
  const completions: Completion[] = [];
  let telling = Promise.resolve();
  const complete = (place: number, completion: Completion): void => {
    completions[place] = completion;
    telling = telling.then(async () => {
      await tell(completion);
    });
    telling.catch(() => {
      stop.abort();
    });
  };
  const errand: Errand = { queueOf, forMs, complete, stop: stop.signal };
  try {
    await Promise.all([...byQueue(calls)].map(([name, placed]) => runQueue(errand, name, placed)));
  } finally {
    stop.abort();
  }
  await telling;
  return completions;
}

function byQueue(calls: readonly GroupCall[]): ReadonlyMap<string | undefined, readonly Placed[]> {
  const queues = new Map<string | undefined, Placed[]>();
  for (const [place, call] of calls.entries()) {
    const { queue } = call.options;
    const placed = queues.get(queue) ?? [];
    placed.push({ place, call });
    queues.set(queue, placed);
  }
  return queues;
}

async function runQueue(errand: Errand, name: string | undefined, placed: readonly Placed[]): Promise<void> {
  const queue = await errand.queueOf(name);
  const open = await publishAll(errand, queue, placed);
  const { broker, clock } = queue;
  const endsAtUpMs = clock.upMs() + errand.forMs;
  while (open.size > 0 && !errand.stop.aborted) {
    const untilMs = clock.now() + endsAtUpMs - clock.upMs();
    const ends = await broker.results.wait([...open.keys()], untilMs, errand.stop);
    if (ends.length === 0) break;
    for (const end of [...ends].sort(byTime)) {
      for (const { place, call } of open.get(end.id) ?? []) errand.complete(place, completionOf(call, end));
      open.delete(end.id);
    }
  }
  if (errand.stop.aborted) return;
  for (const [id, late] of open) {
    for (const { place, call } of late) {
      errand.complete(place, { id, ...about(call), error: timedOut(id, errand.forMs, undefined) });
    }
  }
}

/** By id: several calls with one key are one task. Those that are refused are complete. */
async function publishAll(
  { forMs, complete }: Errand,
  { publisher }: GroupQueue,
  placed: readonly Placed[],
): Promise<Map<string, Placed[]>> {
  const open = new Map<string, Placed[]>();
  for (let from = 0; from < placed.length; from += MAX_BATCH) {
    const batch = placed.slice(from, from + MAX_BATCH);
    const outcomes = await publisher.publishBatch(batch.map(itemOf), {
      keepResult: keepFor({ wait: forMs }),
    });
    for (const [at, one] of batch.entries()) {
      const id = idOf(outcomes[at]);
      if (typeof id === "string") open.set(id, [...(open.get(id) ?? []), one]);
      else complete(one.place, { ...about(one.call), error: id });
    }
  }
  return open;
}

function itemOf({ call }: Placed): BulkItem {
  const { queue: _queue, ...options } = call.options;
  return { method: call.method, args: call.args, ...options };
}

function idOf(outcome: BulkOutcome | undefined): string | MemqError {
  switch (outcome?.kind) {
    case "kept":
      return outcome.id;
    case "duplicate":
      return outcome.of;
    case "refused":
      return new MemqError(outcome.code, outcome.reason);
    case undefined:
      return new MemqError("BUG", "the broker gave no answer");
  }
}

const about = ({ method, args }: GroupCall): Pick<Completion, "method" | "args"> => ({ method, args });

function completionOf(call: GroupCall, end: TaskEnd): Completion {
  try {
    const result = valueOf(end);
    return { id: end.id, ...about(call), ...(result !== undefined && { result }) };
  } catch (error) {
    if (!(error instanceof MemqError)) throw error;
    return { id: end.id, ...about(call), error };
  }
}

const byTime = (one: TaskEnd, other: TaskEnd): number => timeOf(one) - timeOf(other);
const timeOf = (end: TaskEnd): number => (end.kind === "gone" ? Infinity : end.at);

const tooMany = (count: number): MemqError =>
  new MemqError(
    "USAGE",
    `a group of ${String(count)} calls, the most is ${String(MAX_CALLS)}: publish more as a bulk`,
  );
