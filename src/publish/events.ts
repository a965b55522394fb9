import { createHash } from "node:crypto";
import { describeError, MemqError } from "../errors.ts";
import { MAX_BATCH, type Broker, type Published } from "../ports/broker.ts";
import type { Clock } from "../ports/clock.ts";
import type { Codec } from "../task/codec.ts";
import type { EventTask } from "../task/event-task.ts";
import { assertKnownNames } from "../task/known-names.ts";
import { nearest } from "../task/nearest.ts";
import type { Draft, Json } from "../task/task.ts";
import { checkedEvent, isPattern, matchesTopic } from "../task/topic.ts";
import type { Listening } from "./listening.ts";
import { checkedDraft } from "./publisher.ts";

/** What an event says: an object that each of its tasks is given as its first argument. */
export type EventParams = Readonly<Record<string, Json>>;

/** How an event wants to be emitted. */
export interface EmitOptions {
  /** Emitted again under the same key, it publishes only those of its tasks that are not there. 1 to 200 bytes. */
  readonly key?: string;
}

/** What an event became. */
export interface Emission {
  readonly event: string;
  /** The key that it can be emitted with again; undefined: it was all or none. */
  readonly key?: string;
  /** In the order of who listens. */
  readonly tasks: readonly EmittedTask[];
}

/** One of the tasks of an event. */
export interface EmittedTask {
  readonly id: string;
  readonly queue: string;
  readonly method: string;
  readonly class?: string;
  /** It was there already, of an emission under the same key. */
  readonly duplicate?: true;
}

/** A queue that tasks of an event go to. */
interface EventQueue {
  readonly config: { readonly name: string };
  readonly broker: Broker;
  readonly codec: Codec;
}

/** What emitting works with. */
export interface EventParts<Queue extends EventQueue> {
  readonly listening: readonly Listening[];
  /** Undefined: the queue that the top-level keys describe. */
  readonly open: (queue: string | undefined) => Promise<Queue>;
  /** Whether one embedded store keeps them all. */
  readonly areTogether: (queues: readonly Queue[]) => boolean;
  /** Keeps drafts in queues that are together: all or none. Answers each draft of each queue. */
  readonly keepTogether: (
    orders: readonly { readonly queue: Queue; readonly drafts: readonly Draft[] }[],
  ) => Promise<readonly (readonly Published[])[]>;
  readonly clock: Clock;
}

/** An event as it is emitted. */
export interface EventSaid {
  readonly event: string;
  readonly params: EventParams;
  readonly options: EmitOptions;
}

const OPTIONS: ReadonlySet<string> = new Set(["key"]);

/**
 * Publishes the tasks of everybody who listens, in order: all or none where one embedded store keeps them, else at
 * least once, each under a key of its own.
 * @throws MemqError EVENT_UNHEARD; ARGS_INVALID; what publishing throws, then with the key to emit it again with.
 */
export async function emit<Queue extends EventQueue>(
  parts: EventParts<Queue>,
  said: EventSaid,
): Promise<Emission> {
  assertKnownNames(said.options, OPTIONS, "option");
  const tasks = heardBy(parts.listening, said.event);
  const key = checkedKey(said.options.key);
  assertParams(said.params);
  const queues = await Promise.all(tasks.map(({ queue }) => parts.open(queue)));
  const isTogether = parts.areTogether(queues);
  const emission = key ?? (isTogether ? undefined : freshKey());
  const names = namesOf(tasks.map((task, nth) => ({ task, queue: queues[nth]?.config.name ?? "" })));
  const wishes = tasks.map((task, nth) => {
    const queue = queues[nth] as Queue;
    const own = emission === undefined ? undefined : keyOf(said.event, emission, names[nth] ?? "");
    return { task, queue, draft: draftOf({ ...queue, clock: parts.clock }, task, { said, key: own }) };
  });
  const answers = isTogether ? await keepAllOrNone(parts, wishes) : await keepInTurn(wishes, emission ?? "");
  const emitted = wishes.map((wish) => emittedTask(wish, answers.get(wish)));
  return { event: said.event, ...(emission !== undefined && { key: emission }), tasks: emitted };
}

/** The tasks of everybody who listens to an event, in order. @throws MemqError EVENT_UNHEARD, ARGS_INVALID */
export function heardBy(listening: readonly Listening[], event: string): readonly EventTask[] {
  checkedEvent(event);
  const tasks = listening.filter(({ on }) => matchesTopic(on, event)).flatMap((one) => one.tasks);
  if (tasks.length === 0) throw unheard(listening, event);
  if (tasks.length <= MAX_BATCH) return tasks;
  throw new MemqError(
    "ARGS_INVALID",
    `event "${event}" would be ${String(tasks.length)} tasks, the most is ${String(MAX_BATCH)}`,
  );
}

function unheard(listening: readonly Listening[], event: string): MemqError {
  const names = [...new Set(listening.map(({ on }) => on))].filter((on) => !isPattern(on));
  const near = nearest(event, names);
  const hint = near === undefined ? "" : `, did you mean "${near}"?`;
  return new MemqError("EVENT_UNHEARD", `nobody listens to event "${event}"${hint}`);
}

// A task's key has at most 1,000 bytes, and some of them are ours.
const MAX_EMISSION_BYTES = 200;

function checkedKey(key: string | undefined): string | undefined {
  if (key === undefined) return undefined;
  const bytes = typeof key === "string" ? new TextEncoder().encode(key).length : 0;
  if (bytes > 0 && bytes <= MAX_EMISSION_BYTES) return key;
  throw new MemqError(
    "ARGS_INVALID",
    `the key of an event is a text of 1 to ${String(MAX_EMISSION_BYTES)} bytes`,
  );
}

// Two events of one moment must not share it; it is no secret.
const freshKey = (): string =>
  [Date.now(), Math.random() * 36 ** 6, Math.random() * 36 ** 6]
    .map((value) => Math.floor(value).toString(36))
    .join("");

// Another event under the same key, such as an order's number, is another one. No event's name holds a #.
const keyOf = (event: string, emission: string, name: string): string => `event:${event}#${emission}#${name}`;

/**
 * What tells the tasks of an emission from each other, whatever place they have in the configuration by the time it is
 * repeated: what each one is, and which of those that are the same.
 */
function namesOf(tasks: readonly { readonly task: EventTask; readonly queue: string }[]): readonly string[] {
  const met = new Map<string, number>();
  return tasks.map(({ task: { class: className = null, method, delayMs = 0 }, queue }) => {
    const what = JSON.stringify([queue, className, method, delayMs]);
    const digest = createHash("sha256").update(what).digest("base64url").slice(0, 16);
    const nth = met.get(digest) ?? 0;
    met.set(digest, nth + 1);
    return nth === 0 ? digest : `${digest}.${String(nth)}`;
  });
}

function assertParams(params: unknown): void {
  if (typeof params === "object" && params !== null && !Array.isArray(params)) return;
  throw new MemqError("ARGS_INVALID", `what an event says is an object, such as { order_id: "FB138" }`);
}

interface Wish<Queue> {
  readonly task: EventTask;
  readonly queue: Queue;
  readonly draft: Draft;
}

function draftOf(
  parts: Parameters<typeof checkedDraft>[0],
  task: EventTask,
  { said, key }: { readonly said: EventSaid; readonly key: string | undefined },
): Draft {
  const call = { method: task.method, args: [said.params, said.event] };
  const options = {
    ...(task.class !== undefined && { class: task.class }),
    ...(task.delayMs !== undefined && { delay: task.delayMs }),
    ...(key !== undefined && { key }),
  };
  return checkedDraft(parts, call, { options, nowMs: parts.clock.now() });
}

type Answers<Queue> = ReadonlyMap<Wish<Queue>, Published>;

async function keepAllOrNone<Queue extends EventQueue>(
  { keepTogether }: EventParts<Queue>,
  wishes: readonly Wish<Queue>[],
): Promise<Answers<Queue>> {
  const groups = byQueue(wishes);
  const orders = groups.map(([first, ...others]) => ({
    queue: first.queue,
    drafts: [first, ...others].map(({ draft }) => draft),
  }));
  const answers = await keepTogether(orders);
  return new Map(groups.flatMap((group, at) => pairs(group, answers[at] ?? [])));
}

/** One queue after the other: the keys make it harmless to do it all again after one that failed. */
async function keepInTurn<Queue extends EventQueue>(
  wishes: readonly Wish<Queue>[],
  key: string,
): Promise<Answers<Queue>> {
  const answers = new Map<Wish<Queue>, Published>();
  for (const group of byQueue(wishes)) {
    try {
      for (const [wish, answer] of await keepGroup(group)) answers.set(wish, answer);
    } catch (error) {
      throw unfinished(error, { kept: answers.size, of: wishes.length, key });
    }
  }
  return answers;
}

async function keepGroup<Queue extends EventQueue>(
  group: Group<Queue>,
): Promise<readonly (readonly [Wish<Queue>, Published])[]> {
  const answers = await group[0].queue.broker.publish(group.map(({ draft }) => draft));
  const refused = answers.find(({ kind }) => kind === "refused");
  if (refused?.kind === "refused") throw new MemqError(refused.code, refused.reason);
  return pairs(group, answers);
}

function unfinished(
  error: unknown,
  { kept, of, key }: { readonly kept: number; readonly of: number; readonly key: string },
): unknown {
  if (!(error instanceof MemqError)) return error;
  const stand = `at least ${String(kept)} of the event's ${String(of)} tasks are kept`;
  const message = `${describeError(error)} (${stand}; emit it again with the key ${key})`;
  return new MemqError(error.code, message, { cause: error });
}

type Group<Queue> = [Wish<Queue>, ...Wish<Queue>[]];

/** In the order in which each queue is first met; within a queue in order. */
function byQueue<Queue extends EventQueue>(wishes: readonly Wish<Queue>[]): readonly Group<Queue>[] {
  const groups = new Map<string, Group<Queue>>();
  for (const wish of wishes) {
    const { name } = wish.queue.config;
    const group = groups.get(name);
    if (group === undefined) groups.set(name, [wish]);
    else group.push(wish);
  }
  return [...groups.values()];
}

const NO_ANSWER: Published = { kind: "refused", code: "BUG", reason: "the broker gave no answer" };

const pairs = <Queue>(
  group: readonly Wish<Queue>[],
  answers: readonly Published[],
): readonly (readonly [Wish<Queue>, Published])[] =>
  group.map((wish, at) => [wish, answers[at] ?? NO_ANSWER] as const);

function emittedTask<Queue extends EventQueue>(
  { task, queue }: Wish<Queue>,
  answer: Published = NO_ANSWER,
): EmittedTask {
  if (answer.kind === "refused") throw new MemqError(answer.code, answer.reason);
  const { method, class: className } = task;
  return {
    id: answer.kind === "kept" ? answer.id : answer.of,
    queue: queue.config.name,
    method,
    ...(className !== undefined && { class: className }),
    ...(answer.kind === "duplicate" && { duplicate: true as const }),
  };
}
