import type { Broker } from "../../../src/ports/broker.ts";
import { drain, type BatchEnd, type BatchParts } from "../../../src/run/batch.ts";
import { Budget, type Limits } from "../../../src/run/budget.ts";
import { registryOf } from "../../../src/run/registry.ts";
import type { Draft, TaskState } from "../../../src/task/task.ts";
import type { RunEvent } from "../../../src/telemetry/events.ts";
import { memoryQueue, virtualClock, type TestQueue, type VirtualClock } from "../../../src/testing.ts";

/** A queue in memory, an owner on it, and everything that its runs told. */
export interface Ground {
  readonly clock: VirtualClock;
  readonly queue: TestQueue;
  readonly broker: Broker;
  readonly events: RunEvent[];
  readonly lines: string[];
}

export function ground(name = "q"): Ground {
  const clock = virtualClock();
  const queue = memoryQueue({ name, clock });
  return { clock, queue, broker: queue.open(), events: [], lines: [] };
}

/** Publishes the calls and answers their ids. */
export async function publish(
  broker: Broker,
  ...drafts: readonly (Partial<Draft> & { method: string })[]
): Promise<string[]> {
  const answers = await broker.publish(drafts.map((draft) => ({ args: [], ...draft })));
  return answers.map((answer) => {
    if (answer.kind !== "kept") throw new Error(`not kept: ${answer.kind}`);
    return answer.id;
  });
}

/** `count` calls of a method, each with its number. */
export const numbered = (method: string, count: number): Draft[] =>
  Array.from({ length: count }, (_, index) => ({ method, args: [index] }));

/** What a batch needs, with what a test does not care about filled in. */
export function partsOf(
  { broker, clock, events, lines }: Ground,
  handlers: Readonly<Record<string, unknown>>,
  wishes: Partial<BatchParts> & { readonly limits?: Limits } = {},
): BatchParts {
  const className = Object.keys(handlers)[0] ?? "Worker";
  const { limits = {}, ...parts } = wishes;
  return {
    broker,
    clock,
    tell: (event) => events.push(event),
    say: (line) => lines.push(line),
    registry: () => Promise.resolve(registryOf(handlers, className)),
    className,
    policy: { waitsMs: [10_000, 60_000] },
    timeoutMs: 60_000,
    concurrency: 1,
    maxResultBytes: 100_000,
    budget: new Budget(limits, clock),
    stop: new AbortController().signal,
    graceMs: 60_000,
    ...parts,
  };
}

/** Drains the ground's queue with handlers, the first being the queue's own. */
export const drainWith = (
  place: Ground,
  handlers: Readonly<Record<string, unknown>>,
  wishes: Parameters<typeof partsOf>[2] = {},
): Promise<BatchEnd> => drain(partsOf(place, handlers, wishes));

/** The kinds of what was told, e.g. `done`, `retry`. */
export const kinds = ({ events }: Ground): string[] => events.map(({ kind }) => kind);

export type Told<K extends RunEvent["kind"]> = Extract<RunEvent, { readonly kind: K }>;

/** What was told of one kind. */
export const told = <K extends RunEvent["kind"]>({ events }: Ground, kind: K): Told<K>[] =>
  events.filter((event): event is Told<K> => event.kind === kind);

/** The first arguments of the tasks in a state, in order. */
export async function argsIn(broker: Broker, state: TaskState): Promise<unknown[]> {
  const { tasks } = await broker.list(state, { limit: 1_000 });
  return tasks.map(({ task }) => task?.args[0]);
}

type Powers = { [K in keyof Broker]?: Broker[K] };

/** The broker with some of its methods replaced. */
export function altered(broker: Broker, powers: Powers): Broker {
  return new Proxy(broker, {
    get: (target, name: keyof Broker) => {
      if (Object.hasOwn(powers, name)) return powers[name];
      const value: unknown = Reflect.get(target, name);
      return typeof value === "function" ? (value.bind(target) as unknown) : value;
    },
  });
}

/** The broker, with each call noted by its name before it is made. */
export function noted(broker: Broker, note: (name: keyof Broker, args: readonly unknown[]) => void): Broker {
  return new Proxy(broker, {
    get: (target, name: keyof Broker) => {
      const value: unknown = Reflect.get(target, name);
      if (typeof value !== "function") return value;
      return (...args: readonly unknown[]): unknown => {
        note(name, args);
        return Reflect.apply(value, target, args) as unknown;
      };
    },
  });
}

/** A promise and the key to it. */
export function gate(): { readonly opened: Promise<void>; open: () => void } {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}

/** Resolves when the condition holds; fails when it does not within five seconds. */
export async function until(holds: () => boolean): Promise<void> {
  const giveUpAt = performance.now() + 5_000;
  while (!holds()) {
    if (performance.now() > giveUpAt) throw new Error(`never came true: ${String(holds)}`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

/** Counts the timers that are set and have neither fired nor been cleared, until `stop` is called. */
export function countTimers(): { readonly open: () => number; readonly stop: () => void } {
  const real = { ...pick(globalThis) };
  const open = new Set<unknown>();
  const cleared = (timer: unknown): void => {
    open.delete(timer);
    real.clearTimeout(timer as NodeJS.Timeout);
  };
  globalThis.setTimeout = Object.assign((work: () => void, ms?: number): NodeJS.Timeout => {
    const timer = real.setTimeout(() => {
      open.delete(timer);
      work();
    }, ms);
    open.add(timer);
    return timer;
  }, real.setTimeout);
  globalThis.setInterval = (work: () => void, ms?: number): NodeJS.Timeout => {
    const timer = real.setInterval(work, ms);
    open.add(timer);
    return timer;
  };
  globalThis.clearTimeout = cleared;
  globalThis.clearInterval = cleared;
  return { open: () => open.size, stop: () => Object.assign(globalThis, real) };
}

const pick = ({ setTimeout, setInterval, clearTimeout, clearInterval }: typeof globalThis): Timers => ({
  setTimeout,
  setInterval,
  clearTimeout,
  clearInterval,
});
type Timers = Pick<typeof globalThis, "setTimeout" | "setInterval" | "clearTimeout" | "clearInterval">;
