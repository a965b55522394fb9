import type { QueueConfig } from "../config/config.ts";
import { describeError, EXIT, MemqError, worstExit, type ExitCode } from "../errors.ts";
import type { Memq } from "../memq.ts";
import type { Broker } from "../ports/broker.ts";
import { Dispatcher } from "../run/dispatcher.ts";
import { loadOnResult } from "../run/on-result.ts";
import type { Registry } from "../run/registry.ts";
import { logFault } from "../telemetry/log-file.ts";
import { brokerJson, brokerText } from "./queues.ts";
import { counted, cut, printable } from "./printable.ts";
import { eventFaults } from "./event-check.ts";
import { scheduleFaults } from "./schedule-check.ts";
import { surveyTasks, type TaskSurvey, type Verdict } from "./task-verdicts.ts";

/** What trying one queue came to. */
export interface QueueCheck {
  readonly queue: QueueConfig;
  /** Absent when the handlers could not be loaded. */
  readonly registry?: Registry;
  /** Absent when the tasks could not be looked at. */
  readonly survey?: TaskSurvey;
  readonly errors: readonly MemqError[];
}

/** Loads a queue's handlers, makes and closes its class, asks its broker, and holds the waiting tasks against the handlers. */
export async function checkQueue(memq: Memq, queue: QueueConfig): Promise<QueueCheck> {
  const errors: MemqError[] = [];
  const registry = await attempted(errors, () => memq.registry(queue.name));
  const broker = await attempted(errors, () => reach(memq, queue));
  const survey = await attempted(errors, () => surveyed(queue, broker, registry));
  const { onResult } = queue;
  if (onResult !== undefined) await attempted(errors, () => loadOnResult(onResult));
  const fault = queue.log === undefined ? undefined : logFault(queue.log);
  if (fault !== undefined)
    errors.push(new MemqError("CONFIG_INVALID", `log ${String(queue.log)} cannot be written: ${fault}`));
  if (registry !== undefined) {
    await attempted(errors, () => construct(registry, queue));
    errors.push(...scheduleFaults(memq, queue, registry), ...eventFaults(memq, queue, registry));
  }
  return {
    queue,
    errors,
    ...(registry !== undefined && { registry }),
    ...(survey !== undefined && { survey }),
  };
}

async function attempted<T>(errors: MemqError[], work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof MemqError)) throw error;
    errors.push(error);
    return undefined;
  }
}

/** Makes the instance that a run would make of the queue's class, and closes it. @throws MemqError HANDLER_MISSING */
async function construct(registry: Registry, { name, className }: QueueConfig): Promise<void> {
  const dispatcher = new Dispatcher(registry, { queue: name, say: () => undefined });
  dispatcher.prepare(className);
  const faults: unknown[] = [];
  await dispatcher.close((error) => faults.push(error));
  const [cause] = faults;
  if (cause !== undefined) throw new MemqError("HANDLER_MISSING", describeError(cause), { cause });
}

/** The broker, once it has answered something. */
async function reach(memq: Memq, queue: QueueConfig): Promise<Broker> {
  const broker = await memq.broker(queue.name);
  await broker.depth();
  return broker;
}

async function surveyed(
  queue: QueueConfig,
  broker: Broker | undefined,
  registry: Registry | undefined,
): Promise<TaskSurvey | undefined> {
  if (registry === undefined || broker?.capabilities.list !== true) return undefined;
  return surveyTasks(broker, queue, registry);
}

/** How `memq check` exits because of a queue. */
export const exitOfCheck = ({ errors, survey }: QueueCheck): ExitCode =>
  worstExit([
    ...errors.map(({ exit }) => exit),
    ...(survey === undefined || survey.verdicts.length === 0 ? [] : [EXIT.config]),
  ]);

/** What is right about a queue, as lines for people. */
export function checkLines({ queue, registry, survey }: QueueCheck): readonly string[] {
  const classes = registry?.classNames ?? [];
  return [
    `queue ${queue.name}: ${brokerText(queue)}`,
    ...classes.map((name) => `  ${name}: ${registry?.methods(name).join(", ") ?? ""}`),
    ...(survey === undefined ? [] : [`  tasks: ${surveyText(survey)}`]),
  ];
}

function surveyText({ seen, isSample, verdicts }: TaskSurvey): string {
  const bad = verdicts.reduce((sum, { count }) => sum + count, 0);
  if (seen === 0) return "none is waiting or delayed";
  const looked = isSample ? `the oldest ${String(seen)}` : `${String(seen)} waiting or delayed`;
  return `${looked}, ${bad === 0 ? "all can be run" : `${String(bad)} cannot be run`}`;
}

// Whoever can write into a queue can name a method as they like.
const MAX_WHY = 300;

/** Tasks that would fail, as a sentence. */
export const verdictText = ({ why, count, example }: Verdict): string =>
  `${counted(count, "task")} cannot be run: ${cut(printable(why), MAX_WHY)} (e.g. task ${example})`;

/** The same for programs. */
export function checkJson(check: QueueCheck): object {
  const { queue, registry, survey, errors } = check;
  const classes = registry?.classNames.map((name) => [name, registry.methods(name)]);
  return {
    queue: queue.name,
    broker: brokerJson(queue),
    ...(classes !== undefined && { classes: Object.fromEntries(classes) as unknown }),
    ...(survey !== undefined && {
      tasks: { seen: survey.seen, sample: survey.isSample, unrunnable: survey.verdicts },
    }),
    errors: errors.map(({ code, message }) => ({ code, message })),
  };
}
