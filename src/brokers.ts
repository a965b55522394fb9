import type { Config, QueueConfig, ServerConfig } from "./config/config.ts";
import { MemqError } from "./errors.ts";
import { meetServer } from "./host/known-servers.ts";
import type { EmbeddedStore } from "./adapters/embedded/store.ts";
import type { Broker, Published } from "./ports/broker.ts";
import type { Clock } from "./ports/clock.ts";
import type {
  FolderExamination,
  QueueTrace,
  ServerExamination,
  SqliteExamination,
} from "./ports/examination.ts";
import type { Wire } from "./adapters/memcached/wire.ts";
import { plainCodec, type Codec } from "./task/codec.ts";
import type { Draft } from "./task/task.ts";

/** A queue's broker with the codec that writes its tasks. */
export interface OpenQueue {
  readonly config: QueueConfig;
  readonly broker: Broker;
  readonly codec: Codec;
}

/** Drafts for one queue, in their order. */
export interface Order {
  readonly queue: OpenQueue;
  readonly drafts: readonly Draft[];
}

/** Whether one embedded store keeps all of these queues. */
export const areTogether = (queues: readonly OpenQueue[]): boolean =>
  queues.every(
    ({ config }) => config.server === undefined && config.storePath === queues[0]?.config.storePath,
  );

/**
 * Opens the broker of each queue when it is first asked for, and loads its engine then. Together with
 * memq.ts the only place that names an adapter.
 */
export class Brokers {
  readonly #config: Config;
  readonly #clock: Clock;
  readonly #queues = new Map<string, Promise<OpenQueue>>();
  readonly #stores = new Map<string, Promise<EmbeddedStore>>();

  constructor(config: Config, clock: Clock) {
    this.#config = config;
    this.#clock = clock;
  }

  /** @throws MemqError when the store cannot be opened; a server that is away is met on first use. */
  open(queue: QueueConfig): Promise<OpenQueue> {
    return remember(this.#queues, queue.name, () => this.#openQueue(queue));
  }

  /** Keeps drafts in queues of which `areTogether` is true: all or none. Answers each draft of each queue. */
  async publishTogether(orders: readonly Order[]): Promise<readonly (readonly Published[])[]> {
    const store = await this.#stores.get(orders[0]?.queue.config.storePath ?? "");
    if (store === undefined) throw new MemqError("BUG", "no store keeps these tasks");
    return store.publishTogether(orders.map(({ queue, drafts }) => ({ broker: queue.broker, drafts })));
  }

  /** Hands back what is held and closes everything that was opened. @throws what the first to fail threw. */
  async close(): Promise<void> {
    const queues = [...this.#queues.values()].map((open) =>
      open.then(({ broker }) => broker, ignoreUnopened),
    );
    const stores = [...this.#stores.values()].map((open) => open.catch(ignoreUnopened));
    this.#queues.clear();
    this.#stores.clear();
    await closeEach([...queues, ...stores]);
  }

  async #openQueue(queue: QueueConfig): Promise<OpenQueue> {
    const codec = await codecOf(queue);
    const { server } = queue;
    const broker =
      server === undefined ? await this.#embedded(queue, codec) : await this.#memcached(queue, server, codec);
    return { config: queue, broker, codec };
  }

  async #embedded(queue: QueueConfig, codec: Codec): Promise<Broker> {
    const store = await remember(this.#stores, queue.storePath, async () => {
      const { openEmbeddedStore } = await import("./adapters/embedded/store.ts");
      return openEmbeddedStore({ folder: queue.storePath, clock: this.#clock });
    });
    return store.queue(queue.name, { codec, timeoutMs: queue.timeoutMs });
  }

  async #memcached(queue: QueueConfig, server: ServerConfig, codec: Codec): Promise<Broker> {
    const [{ openMemjsWire }, { openMemcachedBroker }] = await Promise.all([
      import("./adapters/memcached/memjs-wire.ts"),
      import("./adapters/memcached/broker.ts"),
    ]);
    const wire = openMemjsWire({ server });
    return openMemcachedBroker({
      wire,
      queue: queue.name,
      codec,
      memory: queue.storePath,
      bundle: queue.bundle,
      clock: this.#clock,
    });
  }
}

/**
 * Looks over what keeps queues, and leaves every queue as it is. A server is looked at on a connection of its
 * own. Each rejects with a MemqError when there is nothing to look at.
 */
export interface Examiner {
  /** `now`: this host's clock, in ms since 1970. */
  server(server: ServerConfig, now: () => number): Promise<ServerExamination>;
  /** What its server has of a queue, held against what this host remembers. Only for a queue that has a server. */
  trace(queue: QueueConfig): Promise<QueueTrace>;
  folder(path: string): Promise<FolderExamination>;
  sqlite(): Promise<SqliteExamination>;
}

export const examiner: Examiner = {
  server: async (server, now) => {
    const { examineServer } = await import("./adapters/memcached/examination.ts");
    return onWire(server, (wire) => examineServer(wire, now));
  },
  trace: async ({ name, server, storePath }) => {
    if (server === undefined) return { kind: "absent" };
    const { traceQueue } = await import("./adapters/memcached/examination.ts");
    return onWire(server, (wire) => traceQueue(wire, { queue: name, memory: storePath }));
  },
  folder: async (path) => (await import("./adapters/embedded/examination.ts")).examineFolder(path),
  sqlite: async () => (await import("./adapters/embedded/examination.ts")).examineSqlite(),
};

async function onWire<T>(server: ServerConfig, work: (wire: Wire) => Promise<T>): Promise<T> {
  const { openMemjsWire } = await import("./adapters/memcached/memjs-wire.ts");
  const wire = openMemjsWire({ server });
  try {
    return await work(wire);
  } finally {
    wire.close();
  }
}

/**
 * A sentence about a server that throws tasks away when it is full, the first time that this host has to do with
 * it; undefined ever after, without asking it. Never rejects.
 */
export async function serverWarning({ server, storePath }: QueueConfig): Promise<string | undefined> {
  if (server === undefined) return undefined;
  const name = `${server.host}:${String(server.port)}`;
  const meeting = meetServer(storePath, name);
  if (meeting === undefined) return undefined;
  try {
    const { throwsAway } = await import("./adapters/memcached/examination.ts");
    if (!(await onWire(server, throwsAway))) return undefined;
    return `memcached ${name} throws tasks away when its memory is full: start it with -M (memq doctor tells more)`;
  } catch (error) {
    meeting.undo(); // it is asked the next time
    if (error instanceof MemqError) return undefined;
    throw error;
  }
}

/** Cryptography is loaded only where there is a secret: every start of a command pays for it. */
async function codecOf({ name, secret, maxTaskBytes }: QueueConfig): Promise<Codec> {
  if (secret === undefined) return plainCodec(maxTaskBytes);
  const [{ signedCodec }, { hmacSigner }] = await Promise.all([
    import("./task/signature.ts"),
    import("./adapters/hmac/signer.ts"),
  ]);
  return signedCodec(hmacSigner(secret), name, maxTaskBytes);
}

async function remember<T>(known: Map<string, Promise<T>>, name: string, open: () => Promise<T>): Promise<T> {
  const opening = known.get(name) ?? open();
  known.set(name, opening);
  return opening;
}

/** Closes one after the other; one that fails keeps none from being closed. */
async function closeEach(opened: readonly Promise<{ close(): Promise<void> } | undefined>[]): Promise<void> {
  const failures: unknown[] = [];
  for (const open of opened) {
    await open.then((closable) => closable?.close()).catch((error: unknown) => failures.push(error));
  }
  if (failures.length > 0) throw failures[0];
}

/** What failed to open was reported to whoever asked for it. */
const ignoreUnopened = (): undefined => undefined;
