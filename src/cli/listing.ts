import type { QueueConfig } from "../config/config.ts";
import { MemqError } from "../errors.ts";
import { MAX_BATCH, type Broker, type Page } from "../ports/broker.ts";
import type { TaskState } from "../task/task.ts";
import { askQueues, type Choice, type Failure } from "./queues.ts";
import type { QueuedRecord } from "./task-text.ts";

/** A place in a listing that goes through one queue after the other. */
export interface Cursor {
  readonly queue: string;
  /** Absent: the queue's beginning. */
  readonly after?: string;
}

/** What is listed, and how much of it. */
export interface ListRequest {
  readonly state: TaskState;
  readonly limit: number;
  readonly from?: Cursor | undefined;
}

export interface Listing {
  readonly tasks: readonly QueuedRecord[];
  /** Where the next listing goes on; absent at the end. */
  readonly next?: Cursor;
  /** The queues that could not be asked. */
  readonly failures: readonly Failure[];
}

/** A cursor as one word: a queue's name cannot hold the "@". */
export const cursorText = ({ queue, after = "" }: Cursor): string => `${queue}@${after}`;

/** @throws MemqError USAGE when it is no cursor of these queues. */
export function readCursor(text: string, queues: readonly QueueConfig[]): Cursor {
  const end = text.indexOf("@");
  const queue = text.slice(0, Math.max(0, end));
  if (!queues.some(({ name }) => name === queue)) {
    throw new MemqError("USAGE", `--after ${JSON.stringify(text)} is not where a list of these queues ended`);
  }
  const after = text.slice(end + 1);
  return after === "" ? { queue } : { queue, after };
}

/** The tasks in one state: those of the first queue, then those of the next, up to the limit. */
export async function listTasks({ memq, queues }: Choice, request: ListRequest): Promise<Listing> {
  const tasks: QueuedRecord[] = [];
  const failures: Failure[] = [];
  for (const queue of queuesFrom(queues, request.from)) {
    const left = request.limit - tasks.length;
    const after = request.from?.queue === queue.name ? request.from.after : undefined;
    // With nothing left the page only tells whether there is more.
    const asked = await askQueues(memq, [queue], (broker) =>
      readPage(broker, { state: request.state, limit: Math.max(1, left), after }),
    );
    failures.push(...asked.failures);
    const page = asked.answers[0]?.value;
    if (page === undefined || page.tasks.length === 0) continue;
    if (left === 0) return { tasks, failures, next: { queue: queue.name } };
    tasks.push(...page.tasks.map((record) => ({ queue, record })));
    if (page.next !== undefined) return { tasks, failures, next: { queue: queue.name, after: page.next } };
  }
  return { tasks, failures };
}

const queuesFrom = (queues: readonly QueueConfig[], from: Cursor | undefined): readonly QueueConfig[] =>
  from === undefined ? queues : queues.slice(queues.findIndex(({ name }) => name === from.queue));

interface PageOf {
  readonly state: TaskState;
  readonly limit: number;
  readonly after: string | undefined;
}

/** A page as long as it is wanted, made of as many as a broker needs for it. */
async function readPage(broker: Broker, { state, limit, after }: PageOf): Promise<Page> {
  assertListable(broker);
  const tasks: Page["tasks"][number][] = [];
  let next = after;
  do {
    const size = Math.min(limit - tasks.length, MAX_BATCH);
    const page = await broker.list(state, { limit: size, ...(next !== undefined && { after: next }) });
    tasks.push(...page.tasks);
    next = page.next;
  } while (next !== undefined && tasks.length < limit);
  // A broker may say "go on" at its very end; whoever reads "more" wants to find some.
  if (next === undefined || (await isEnd(broker, state, next))) return { tasks };
  return { tasks, next };
}

const isEnd = async (broker: Broker, state: TaskState, after: string): Promise<boolean> =>
  (await broker.list(state, { limit: 1, after })).tasks.length === 0;

/** @throws MemqError UNSUPPORTED */
export function assertListable({ capabilities }: Broker): void {
  if (!capabilities.list) throw new MemqError("UNSUPPORTED", "its broker cannot list tasks");
}
