import type { ServerConfig } from "../../config/config.ts";
import { MemqError } from "../../errors.ts";
import { Connection } from "./connection.ts";
import { BatchExchange, StatsExchange, type Asker, type Exchange } from "./exchange.ts";
import { assertSendable } from "./requests.ts";
import { addressOf, unreachable } from "./strangers.ts";
import type { Answer, Operation, Wire } from "./wire.ts";

export interface WireOptions {
  readonly server: ServerConfig;
  /** For connecting and the first answer. Default 3 000: a lost SYN is sent again after 1 s. */
  readonly connectMs?: number;
  /** How long the server may be silent while it owes an answer. Default 4 000. */
  readonly answerMs?: number;
  /** Number of the first request, 32 bits. Default 1. */
  readonly firstOpaque?: number;
}

const CONNECT_MS = 3_000;
const ANSWER_MS = 4_000;

// A caller that tries again at once must not spin while the server is down.
const RECONNECT_GAP_MS = 100;

/** A wire over memjs. Connects at the first use, and anew at the next use after every failure. */
export function openMemjsWire(options: WireOptions): Wire {
  return new MemjsWire(options);
}

class MemjsWire implements Wire {
  readonly server: string;
  readonly #options: WireOptions;
  #connection: Connection | undefined;
  #lossBefore: MemqError | undefined;
  #connectedAt = -Infinity;
  #closed = false;

  constructor(options: WireOptions) {
    this.#options = options;
    this.server = addressOf(options.server);
  }

  get loss(): MemqError | undefined {
    if (this.#connection?.open === true) return undefined;
    return this.#connection?.loss ?? this.#lossBefore; // one that is opening has not said anything yet
  }

  batch(operations: readonly Operation[]): Promise<readonly Answer[]> {
    if (operations.length === 0) return Promise.resolve([]);
    return this.#ask((asker) => {
      operations.forEach(assertSendable);
      return new BatchExchange(operations, asker);
    });
  }

  stats(group: "" | "settings" | "items" | "slabs"): Promise<ReadonlyMap<string, string>> {
    return this.#ask((asker) => new StatsExchange(group, asker));
  }

  close(): void {
    this.#closed = true;
    this.#connection?.close(unreachable(this.server, "this process closed the connection"));
    this.#connection = undefined;
  }

  #ask<T>(makeExchange: (asker: Asker<T>) => Exchange): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.#closed) throw new MemqError("BUG", `the wire to ${this.server} was used after it was closed`);
      const exchange = makeExchange({ server: this.server, resolve, reject });
      this.#connected().send(exchange);
    });
  }

  #connected(): Connection {
    if (this.#connection !== undefined && !this.#connection.lost) return this.#connection;
    const now = performance.now();
    const pauseMs = Math.max(0, this.#connectedAt + RECONNECT_GAP_MS - now);
    this.#connectedAt = now + pauseMs;
    this.#lossBefore = this.#connection?.loss;
    this.#connection = new Connection({
      server: this.#options.server,
      address: this.server,
      connectMs: this.#options.connectMs ?? CONNECT_MS,
      answerMs: this.#options.answerMs ?? ANSWER_MS,
      firstOpaque: this.#connection?.nextOpaque ?? this.#options.firstOpaque ?? 1,
      pauseMs,
    });
    return this.#connection;
  }
}
