import type { Config, QueueConfig, ServerConfig } from "./config/config.ts";
import type { EmbeddedStore } from "./adapters/embedded/store.ts";
import type { Broker } from "./ports/broker.ts";
import type { Clock } from "./ports/clock.ts";
import { plainCodec, type Codec } from "./task/codec.ts";

/** A queue's broker with the codec that writes its tasks. */
export interface OpenQueue {
  readonly config: QueueConfig;
  readonly broker: Broker;
  readonly codec: Codec;
}

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

  /** Hands back what is held and closes everything that was opened. */
  async close(): Promise<void> {
    for (const open of this.#queues.values()) await open.then(({ broker }) => broker.close(), ignoreUnopened);
    for (const open of this.#stores.values()) await open.then((store) => store.close(), ignoreUnopened);
    this.#queues.clear();
    this.#stores.clear();
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
    // A handler may block this process for as long as an attempt may take, and a minute for what surrounds it.
    return store.queue(queue.name, { codec, blockedMs: queue.timeoutMs + 60_000 });
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
      clock: this.#clock,
    });
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

/** What failed to open was reported to whoever asked for it. */
const ignoreUnopened = (): void => undefined;
