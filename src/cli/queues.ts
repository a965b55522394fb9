import type { QueueConfig } from "../config/config.ts";
import { MemqError, worstExit, type ExitCode } from "../errors.ts";
import type { Memq } from "../memq.ts";
import type { Broker } from "../ports/broker.ts";
import { tellFailures } from "./failures.ts";
import type { Session } from "./shell.ts";

/** The queues that a command of `memq` looks at. */
export interface Choice {
  readonly memq: Memq;
  readonly queues: readonly [QueueConfig, ...QueueConfig[]];
  /** Faults of the configuration were told; how the command exits because of them. */
  readonly exit: ExitCode;
  /** How many faults were told. */
  readonly faultCount: number;
}

/**
 * The queue of --queue, else all queues whose sections are sound; the faults of others are told.
 * @throws MemqError USAGE, CONFIG_*
 */
export function chooseQueues(session: Session): Choice {
  const { memq, fault, faultCount, isSpoilt } = session.openSound();
  const named = session.parsed.text("queue");
  if (fault !== undefined) {
    if (named !== undefined && isSpoilt(named)) throw fault;
    session.complainOf(fault);
  }
  const exit = worstExit(fault === undefined ? [] : [fault.exit]);
  const queues: Choice["queues"] = named === undefined ? memq.config.queues : [memq.queueConfig(named)];
  return { memq, queues, exit, faultCount };
}

/** What one queue answered. */
export interface Answer<T> {
  readonly queue: QueueConfig;
  readonly value: T;
}

/** Why one queue could not answer. */
export interface Failure {
  readonly queue: QueueConfig;
  readonly error: MemqError;
}

export interface Answers<T> {
  readonly answers: readonly Answer<T>[];
  readonly failures: readonly Failure[];
}

/** Asks queues side by side; one that cannot answer does not keep the others from it. */
export async function askQueues<T>(
  memq: Memq,
  queues: readonly QueueConfig[],
  ask: (broker: Broker, queue: QueueConfig) => Promise<T>,
): Promise<Answers<T>> {
  const asked = await Promise.all(
    queues.map(async (queue): Promise<Answer<T> | Failure> => {
      try {
        return { queue, value: await ask(await memq.broker(queue.name), queue) };
      } catch (error) {
        if (!(error instanceof MemqError)) throw error;
        return { queue, error };
      }
    }),
  );
  return {
    answers: asked.filter((one) => "value" in one),
    failures: asked.filter((one) => "error" in one),
  };
}

/** Tells why queues could not answer; the exit code that it means. */
export function complainOfQueues(session: Session, failures: readonly Failure[]): ExitCode {
  tellFailures(
    session,
    "queue",
    failures.map(({ queue, error }) => ({ name: queue.name, error })),
  );
  return worstExit(failures.map(({ error }) => error.exit));
}

/** What keeps a queue's tasks, for people. */
export function brokerText({ server, storePath }: QueueConfig): string {
  if (server === undefined) return `embedded store at ${storePath}`;
  return `memcached ${server.host}:${String(server.port)}`;
}

/** The same for programs. */
export function brokerJson({ server, storePath }: QueueConfig): object {
  if (server === undefined) return { kind: "embedded", store: storePath };
  return { kind: "memcached", host: server.host, port: server.port };
}
