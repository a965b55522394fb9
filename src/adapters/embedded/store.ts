import { livenessOf, thisProcess } from "../../host/process-identity.ts";
import { upMs } from "../../host/up-time.ts";
import { MemqError } from "../../errors.ts";
import type { Broker, Published } from "../../ports/broker.ts";
import { systemClock, type Clock } from "../../ports/clock.ts";
import type { Codec } from "../../task/codec.ts";
import type { Draft } from "../../task/task.ts";
import { Bell, resultBellIn } from "../../host/bell.ts";
import { EmbeddedBroker, type Desk } from "./broker.ts";
import { openConnection, type Connection } from "./connection.ts";
import { publishTogether } from "./publishing.ts";
import { Owner, type Processes } from "./owner.ts";
import { Shrinker } from "./shrinking.ts";
import { storeFolder } from "./store-folder.ts";
import { StoredQueue } from "./stored-queue.ts";

export interface EmbeddedStoreOptions {
  /** Made where it is not there. */
  readonly folder: string;
  /** Default: the system's. */
  readonly clock?: Clock;
  /** Who this process is and which others live. Default: as this host says. */
  readonly processes?: Processes;
}

export interface QueueOptions {
  readonly codec: Codec;
  /**
   * How long an attempt may take that is started without saying so, in ms. For that long, and a minute, this
   * process may be seen to live and yet not renew (a handler that blocks it) before others take its tasks.
   * Default 10 minutes.
   */
  readonly timeoutMs?: number;
}

/** The queues of one store folder, over one connection. */
export interface EmbeddedStore {
  /** A new owner of that queue. The store is opened with its first use. */
  queue(name: string, options: QueueOptions): Broker;
  /** Keeps drafts in several queues, each by an owner that this store made, in one transaction: all or none. */
  publishTogether(orders: readonly StoreOrder[]): Promise<readonly (readonly Published[])[]>;
  /** Closes every owner, gives back disk space and leaves the store. */
  close(): Promise<void>;
}

/** Drafts for one queue, in their order. */
export interface StoreOrder {
  readonly broker: Broker;
  readonly drafts: readonly Draft[];
}

const DEFAULT_TIMEOUT_MS = 10 * 60_000;

/** How the processes of this host are told apart. */
export const THIS_HOST: Processes = {
  self: thisProcess,
  livenessOf,
  // Monotonic since the host's start on Linux, the one system on which a process is seen to run.
  upMs,
};

/** The store in that folder. Nothing is loaded or touched before a queue of it is used. */
export function openEmbeddedStore(options: EmbeddedStoreOptions): EmbeddedStore {
  return new Store(options);
}

interface OpenStore {
  readonly connection: Connection;
  readonly bell: Bell;
  readonly resultBell: Bell;
  readonly shrinker: Shrinker;
}

class Store implements EmbeddedStore {
  readonly #options: EmbeddedStoreOptions;
  readonly #brokers: EmbeddedBroker[] = [];
  #opening: Promise<OpenStore> | undefined;
  #open: OpenStore | undefined;

  constructor(options: EmbeddedStoreOptions) {
    this.#options = options;
  }

  queue(name: string, options: QueueOptions): Broker {
    const broker = new EmbeddedBroker(name, (known) => this.#openDesk(name, options, known));
    this.#brokers.push(broker);
    return broker;
  }

  async publishTogether(orders: readonly StoreOrder[]): Promise<readonly (readonly Published[])[]> {
    const desks = await Promise.all(orders.map(({ broker }) => this.#own(broker).desk()));
    const answers = await publishTogether(
      orders.map(({ drafts }, at) => ({ queue: (desks[at] as Desk).queue, drafts })),
    );
    desks[0]?.bell.ring();
    return answers;
  }

  #own(broker: Broker): EmbeddedBroker {
    const own = this.#brokers.find((known) => known === broker);
    if (own === undefined) throw new MemqError("BUG", `queue "${broker.queue}" is not of this store`);
    return own;
  }

  async close(): Promise<void> {
    for (const broker of this.#brokers.splice(0)) await broker.close();
    await this.#opening?.catch(ignoreUnopened);
    if (this.#open === undefined) return;
    await this.#open.shrinker.beforeClose();
    this.#leave();
  }

  async #openDesk(name: string, { codec, timeoutMs }: QueueOptions, known: Desk | undefined): Promise<Desk> {
    const { connection, bell, resultBell, shrinker } = await this.#connect();
    if (known?.queue.connection === connection) return known;
    known?.owner.lose();
    const { clock = systemClock, processes = THIS_HOST } = this.#options;
    return {
      queue: new StoredQueue(name, connection, { codec, clock }),
      owner: new Owner(connection, { processes, timeoutMs: timeoutMs ?? DEFAULT_TIMEOUT_MS }),
      bell,
      resultBell,
      shrinker,
    };
  }

  async #connect(): Promise<OpenStore> {
    if (this.#open?.connection.isGone === true) this.#leave();
    if (this.#open !== undefined) return this.#open;
    this.#opening ??= openStore(this.#options.folder);
    try {
      this.#open = await this.#opening;
      return this.#open;
    } finally {
      this.#opening = undefined;
    }
  }

  #leave(): void {
    this.#open?.bell.close();
    this.#open?.resultBell.close();
    this.#open?.connection.close();
    this.#open = undefined;
  }
}

async function openStore(path: string): Promise<OpenStore> {
  const folder = storeFolder(path);
  const connection = await openConnection(folder);
  return {
    connection,
    bell: new Bell(folder.bell),
    resultBell: new Bell(resultBellIn(path)),
    shrinker: new Shrinker(connection),
  };
}

/** What failed to open was reported to whoever needed it. */
const ignoreUnopened = (): void => undefined;
