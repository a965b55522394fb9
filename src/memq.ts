import { areTogether, Brokers, serverWarning, type OpenQueue, type Order } from "./brokers.ts";
import type { AwaitOptions } from "./calls/answer.ts";
import { Group } from "./calls/group.ts";
import type { GroupQueue } from "./calls/group-run.ts";
import type { Config, QueueConfig } from "./config/config.ts";
import type { Consumers } from "./consumers.ts";
import { configOf, loadConfig, type ConfigInput } from "./config/load.ts";
import { MemqError } from "./errors.ts";
import type { Broker } from "./ports/broker.ts";
import { systemClock, type Clock } from "./ports/clock.ts";
import { publishAll, type BulkReport, type BulkSource, type OnOutcome } from "./publish/bulk.ts";
import type { PublishOptions } from "./publish/draft.ts";
import type { Emission, EmitOptions, EventParams } from "./publish/events.ts";
import { listeningTo, type Listening } from "./publish/listening.ts";
import { makePublisher, type BulkItem, type BulkPart, type PartReport } from "./publish/publisher.ts";
import { nearest } from "./task/nearest.ts";
import type { Call, Json } from "./task/task.ts";
import type { RunOptions } from "./run/run-options.ts";
import type { WorkOptions } from "./run/work-options.ts";
import type { OnResult } from "./run/on-result.ts";
import type { Registry } from "./run/registry.ts";
import type { RunReport } from "./run/report.ts";

export { examiner, type Examiner } from "./brokers.ts";

/** What `open` takes besides the configuration. */
export interface OpenOptions {
  /** Handler classes by name, instead of loading files. */
  readonly handlers?: Readonly<Record<string, unknown>>;
  /** Called once per attempt, instead of the modules that `on-result` names. */
  readonly onResult?: OnResult;
  /** Default: real time. */
  readonly clock?: Clock;
}

/** Where a call goes, and how it wants to be kept. */
export interface PublishTo extends PublishOptions {
  /** Default: the queue that the top-level keys describe. */
  readonly queue?: string;
}

/** What `publishMany` takes besides. */
export interface PublishManyTo extends PublishTo {
  /** Told each outcome when it is known, instead of collecting them all: for more items than memory holds outcomes of. */
  readonly onOutcome?: OnOutcome;
  /**
   * A name, to wait for it (`memq wait NAME`), and to go on with it: called again with the same items, and more behind
   * them, it publishes those that were not answered yet, whatever was killed meanwhile.
   */
  readonly bulk?: string;
  /** One more call, published when all of a bulk that has a name is done, dead or cancelled. */
  readonly then?: Call;
}

/** Where a call goes, and how its result is waited for. */
export interface CallTo extends PublishTo, AwaitOptions {}

/** Where a task is, and how its result is waited for. */
export interface ResultOf extends AwaitOptions {
  /** Default: the queue that the top-level keys describe. */
  readonly queue?: string;
}

export type { RunOptions, WorkOptions };

/** A configuration in use. The commands are thin shells over it. */
export class Memq {
  readonly config: Config;
  readonly #clock: Clock;
  readonly #handlers: OpenOptions["handlers"];
  readonly #onResult: OnResult | undefined;
  readonly #brokers: Brokers;
  readonly #listening: Listening[] = [];
  #isClosed = false;

  constructor(config: Config, options: OpenOptions = {}) {
    this.config = config;
    this.#clock = options.clock ?? systemClock;
    this.#handlers = options.handlers;
    this.#onResult = options.onResult;
    this.#brokers = new Brokers(config, this.#clock);
  }

  /** Keeps one call and resolves with its id. @throws MemqError when it was not kept. */
  async publish(method: string, args: readonly Json[] = [], options: PublishTo = {}): Promise<string> {
    const { queue, ...how } = options;
    return (await this.#publisher(queue)).publish({ method, args }, how);
  }

  /** Keeps many calls and answers item by item, in their order; a bad one does not stop the others. */
  async publishMany(items: BulkSource, options: PublishManyTo = {}): Promise<BulkReport> {
    const { queue, onOutcome, bulk: name, then, ...how } = options;
    if (then !== undefined && name === undefined)
      throw new MemqError("USAGE", `then goes with bulk: a name, such as { bulk: "spring", then }`);
    if (name !== undefined) {
      const { publishNamed } = await import("./publish/named-items.ts");
      const parts = {
        broker: await this.broker(queue),
        publisher: await this.#publisher(queue),
        clock: this.#clock,
      };
      return publishNamed(parts, items, { name, then, options: how, onOutcome });
    }
    return publishAll(await this.#publisher(queue), items, { options: how, onOutcome });
  }

  /** Keeps items as the next part of a bulk that can be gone on with and waited for, and its new place: both or neither. */
  async publishPart(
    items: readonly BulkItem[],
    part: BulkPart,
    options: PublishTo = {},
  ): Promise<PartReport> {
    const { queue, ...how } = options;
    return (await this.#publisher(queue)).publishPart(items, part, how);
  }

  /**
   * Publishes a task for each that listens to an event, in the order of config.ini, then of `on`. The handler gets
   * `(params, event)`. @throws MemqError EVENT_UNHEARD when nobody listens
   */
  async emit(event: string, params: EventParams = {}, options: EmitOptions = {}): Promise<Emission> {
    this.#assertOpen();
    const { emit } = await import("./publish/events.ts");
    const parts = {
      listening: this.listening,
      open: (queue: string | undefined) => this.#open(queue),
      areTogether,
      keepTogether: (orders: readonly Order[]) => this.#brokers.publishTogether(orders),
      clock: this.#clock,
    };
    return emit(parts, { event, params, options });
  }

  /**
   * Listens to an event, or to a topic pattern (`order.*`, `#`), as long as this configuration is open: each task is
   * written as in config.ini, such as `closeOrder @default after 20m`. @throws MemqError
   */
  on(event: string, ...tasks: readonly string[]): void {
    this.#listening.push(listeningTo(event, tasks, (queue) => this.queueConfig(queue)));
  }

  /** Who listens to events: the sections of config.ini, then what `on` added. */
  get listening(): readonly Listening[] {
    return [...this.config.events, ...this.#listening];
  }

  /**
   * Publishes one call, waits until a run or worker has done it, and resolves with what the method returned.
   * @throws MemqError TASK_FAILED with the handler's words when it became a dead letter; WAIT_TIMEOUT, which leaves the
   * task alone; TASK_GONE, RESULT_OMITTED; whatever kept it from being published.
   */
  async call(method: string, args: readonly Json[] = [], options: CallTo = {}): Promise<Json | undefined> {
    const { assertCallOptions, keepFor } = await import("./calls/answer.ts");
    assertCallOptions(options);
    const { wait, onProgress, ...how } = options;
    const awaiting = { ...(wait !== undefined && { wait }), ...(onProgress !== undefined && { onProgress }) };
    const id = await this.publish(method, args, { keepResult: keepFor(awaiting), ...how });
    return this.result(id, { ...awaiting, ...(how.queue !== undefined && { queue: how.queue }) });
  }

  /**
   * What a task returned, once it is done, as `call` has it: of one that was published with `keepResult`, or into a
   * queue that keeps results. @throws as `call`
   */
  async result(id: string, { queue, ...how }: ResultOf = {}): Promise<Json | undefined> {
    const { answerOf } = await import("./calls/answer.ts");
    return this.#whileOpen(answerOf({ broker: await this.broker(queue), clock: this.#clock }, id, how));
  }

  /** Calls that are made at the same time and waited for together: `group().add(…).onComplete(…).run()`. */
  group(): Group {
    return new Group(async (calls, tell, options) => {
      const { runGroup } = await import("./calls/group-run.ts");
      const queueOf = async (queue?: string): Promise<GroupQueue> => ({
        broker: await this.broker(queue),
        clock: this.#clock,
        publisher: await this.#publisher(queue),
      });
      return this.#whileOpen(runGroup(queueOf, calls, { ...options, tell }));
    });
  }

  /** Drains queues and resolves when nothing can be claimed any more or a limit is reached. Never rejects for one queue's fault. */
  async run(options: RunOptions = {}): Promise<RunReport> {
    const { assertRunOptions } = await import("./run/run-options.ts");
    assertRunOptions(options);
    return (await this.#consumers()).run(this.#queueConfigs(options.queues), options);
  }

  /**
   * Works on queues until `stop` or `leave` is aborted or a limit is reached, woken by what is published. Never
   * rejects for one queue's fault: what keeps one from being served is told, and tried again.
   */
  async work(options: WorkOptions = {}): Promise<RunReport> {
    const { splitWorkOptions } = await import("./run/work-options.ts");
    const { own, run } = splitWorkOptions(options);
    return (await this.#consumers()).work(this.#queueConfigs(run.queues), run, own);
  }

  /** The broker of a queue, to look at it and to manage it. */
  async broker(queue?: string): Promise<Broker> {
    return (await this.#open(queue)).broker;
  }

  /**
   * What a publisher on this host has to know about the queue's server, said once: that it throws tasks away.
   * Costs a look at a file, and never rejects because of the server.
   */
  serverWarning(queue?: string): Promise<string | undefined> {
    return serverWarning(this.queueConfig(queue));
  }

  /** The handler classes of a queue. @throws MemqError HANDLER_MISSING */
  async registry(queue?: string): Promise<Registry> {
    const config = this.queueConfig(queue);
    const { loadRegistry, registryOf } = await import("./run/registry.ts");
    if (this.#handlers !== undefined) return registryOf(this.#handlers, config.className);
    const { folder } = this.config;
    const place = { folder, className: config.className };
    return loadRegistry(config.handlers === undefined ? place : { ...place, handlers: config.handlers });
  }

  /** The settings of a queue. @throws MemqError USAGE when the configuration has no such queue. */
  queueConfig(name?: string): QueueConfig {
    const { queues } = this.config;
    if (name === undefined) return queues[0];
    if (typeof name !== "string")
      throw new MemqError("USAGE", `the name of a queue is a text, not ${typeof name}`);
    const found = queues.find((queue) => queue.name === name);
    if (found !== undefined) return found;
    const names = queues.map((queue) => queue.name);
    const near = nearest(name, names);
    const hint = near === undefined ? `it has ${names.join(", ")}` : `did you mean "${near}"?`;
    throw new MemqError("USAGE", `the configuration has no queue "${name}", ${hint}`);
  }

  /** Hands back what is held and closes every broker. Nothing can be published or run afterwards. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#brokers.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #open(queue?: string): Promise<OpenQueue> {
    this.#assertOpen();
    return this.#brokers.open(this.queueConfig(queue));
  }

  #assertOpen(): void {
    if (this.#isClosed) throw new MemqError("USAGE", "this configuration was closed: open it again");
  }

  /** Who closes it while somebody waits ends that wait: what it comes to then is no bug. */
  async #whileOpen<T>(waiting: Promise<T>): Promise<T> {
    try {
      return await waiting;
    } catch (cause) {
      const isOdd = !(cause instanceof MemqError) || cause.code === "BUG";
      if (!this.#isClosed || !isOdd) throw cause;
      const message = "this configuration was closed while a result was waited for; the task is left alone";
      throw new MemqError("USAGE", message, { cause, next: "Close it when what is waited for has ended." });
    }
  }

  #queueConfigs(names: readonly string[] | undefined): readonly QueueConfig[] {
    return names?.map((name) => this.queueConfig(name)) ?? this.config.queues;
  }

  async #consumers(): Promise<Consumers> {
    this.#assertOpen();
    const { Consumers } = await import("./consumers.ts");
    return new Consumers({
      clock: this.#clock,
      onResult: this.#onResult,
      broker: async (queue) => (await this.#brokers.open(queue)).broker,
      registry: (queue) => this.registry(queue.name),
    });
  }

  async #publisher(queue?: string): Promise<ReturnType<typeof makePublisher>> {
    const { broker, codec } = await this.#open(queue);
    return makePublisher({ broker, codec, clock: this.#clock });
  }
}

/**
 * Opens a configuration: the path of a config.ini (default: MEMQ_CONFIG, else ./config.ini) or an object with
 * the same keys. @throws MemqError CONFIG_MISSING, CONFIG_INVALID with all faults at once.
 */
export async function open(config?: string | ConfigInput, options: OpenOptions = {}): Promise<Memq> {
  const loaded =
    typeof config === "object"
      ? configOf(config, { env: process.env, cwd: process.cwd() })
      : loadConfig({ env: process.env, cwd: process.cwd(), ...(config !== undefined && { path: config }) });
  return Promise.resolve(new Memq(loaded, options));
}
