import type { Config } from "../config/config.ts";
import { describeError, MemqError } from "../errors.ts";
import { nameOf, thisProcess } from "../host/process-identity.ts";
import type { Broker } from "../ports/broker.ts";
import type { PublishOptions } from "../publish/draft.ts";
import type { Json } from "../task/task.ts";
import type { Memory } from "./memory.ts";
import { fired, nextStep, withdrawn, type Look, type Step } from "./next-step.ts";
import { Notebook } from "./notebook.ts";
import { scheduleOf, type Schedule } from "./schedule.ts";

/** What schedules need of an open configuration; `Memq` has it. */
export interface Scheduling {
  readonly config: Pick<Config, "schedules" | "queues">;
  broker(queue: string): Promise<Pick<Broker, "notes">>;
  publish(
    method: string,
    args: readonly Json[],
    options: PublishOptions & { queue: string },
  ): Promise<string>;
}

export interface FireOptions {
  /** Only schedules whose tasks go to one of these. Default: all. */
  readonly queues?: readonly string[];
  /** Who looks. Default: this process. */
  readonly who?: Pick<Look, "host" | "by">;
}

/** What became of a schedule that had something to do. */
export type Firing =
  | {
      readonly kind: "fired";
      readonly schedule: string;
      /** The times that were fired, in ms, and the tasks' ids, in their order. */
      readonly times: readonly number[];
      readonly ids: readonly string[];
      /** The last of the times before those, which were too many to make up for. */
      readonly letGoMs?: number;
    }
  /** `catch-up = none`: times up to this one were noticed too late. */
  | { readonly kind: "letGo"; readonly schedule: string; readonly letGoMs: number }
  | { readonly kind: "failed"; readonly schedule: string; readonly error: MemqError };

/**
 * Publishes the tasks of every schedule that is due. Of all processes and hosts that do so at the same time one
 * publishes; when it dies over that, another does it again a minute later, with the same key. One schedule that
 * fails is reported, the others are fired. Costs one read for each schedule that is not due. Never rejects.
 */
export async function fireDue(
  memq: Scheduling,
  nowMs: number,
  options: FireOptions = {},
): Promise<readonly Firing[]> {
  const { queues, who = { host: thisProcess().host, by: nameOf(thisProcess()) } } = options;
  const chosen = memq.config.schedules.filter(({ queue }) => queues?.includes(queue) !== false);
  const firings = await Promise.all(
    chosen.map(async (config): Promise<Firing | undefined> => {
      try {
        const every = memq.config.queues.find(({ name }) => name === config.queue)?.every;
        return await fireOne(memq, scheduleOf(config, every), { ...who, nowMs });
      } catch (error) {
        return { kind: "failed", schedule: config.name, error: asMemqError(error) };
      }
    }),
  );
  return firings.filter((firing) => firing !== undefined);
}

const asMemqError = (error: unknown): MemqError =>
  error instanceof MemqError ? error : new MemqError("BUG", describeError(error), { cause: error });

// Each try that fails means that somebody else has looked after it.
const MAX_TRIES = 3;

async function fireOne(memq: Scheduling, schedule: Schedule, look: Look): Promise<Firing | undefined> {
  const notebook = new Notebook((await memq.broker(schedule.queue)).notes, schedule.name);
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    const remembered = await notebook.read();
    const step = nextStep(schedule, remembered.memory, look);
    if (step.kind === "rest") return undefined;
    if (!(await notebook.write(step.memory, remembered))) continue;
    if (step.kind === "fire") return publishDue({ memq, notebook, schedule }, step);
    return step.letGoMs === undefined
      ? undefined
      : { kind: "letGo", schedule: schedule.name, letGoMs: step.letGoMs };
  }
  return undefined;
}

interface Tools {
  readonly memq: Scheduling;
  readonly notebook: Notebook;
  readonly schedule: Schedule;
}

/** Publishes what the note says is about to be published, and notes what was. */
async function publishDue(tools: Tools, step: Step & { readonly kind: "fire" }): Promise<Firing> {
  const ids: string[] = [];
  try {
    for (const timeMs of step.times) ids.push(await publishOne(tools, timeMs));
  } catch (error) {
    // Where that fails too, the intent grows old, and whoever comes next takes it over.
    await conclude(tools.notebook, step, ids).catch(() => undefined);
    throw error;
  }
  await conclude(tools.notebook, step, ids);
  const { times, letGoMs } = step;
  return {
    kind: "fired",
    schedule: tools.schedule.name,
    times,
    ids,
    ...(letGoMs !== undefined && { letGoMs }),
  };
}

/** A key of its own for each time: it is published once, and does not wait for the task of the time before. */
function publishOne({ memq, schedule }: Tools, timeMs: number): Promise<string> {
  const { class: className, method, args } = schedule.call;
  return memq.publish(method, args, {
    queue: schedule.queue,
    key: `schedule:${schedule.name}@${new Date(timeMs).toISOString().slice(0, 16)}Z`,
    ...(className !== undefined && { class: className }),
  });
}

/** What was not published is open again; unless somebody else has taken it over meanwhile. */
async function conclude(
  notebook: Notebook,
  { memory, times }: Step & { readonly kind: "fire" },
  ids: readonly string[],
): Promise<void> {
  const done = times.slice(0, ids.length);
  const last = { atMs: memory.firing?.sinceMs ?? 0, id: ids.at(-1) ?? "" };
  await notebook.change((now) => {
    if (!isSameIntent(now, memory)) return undefined;
    return done.length === 0 ? withdrawn(now) : fired(now, done, last);
  });
}

const isSameIntent = (now: Memory | undefined, mine: Memory): now is Memory =>
  now?.firing !== undefined &&
  now.firing.by === mine.firing?.by &&
  now.firing.sinceMs === mine.firing.sinceMs;
