import { setTimeout as pause } from "node:timers/promises";
import type { ServerConfig } from "../../config/config.ts";
import { MemqError } from "../../errors.ts";
import type { Exchange } from "./exchange.ts";
import type { Link } from "./hardened-memjs.ts";
import type { Packet } from "./packets.ts";
import { StallWatch } from "./stall-watch.ts";
import { unreachable } from "./strangers.ts";

/** How a connection is made, and how long the server may keep silent. */
export interface ConnectionOptions {
  readonly server: ServerConfig;
  /** `host:port`, for messages. */
  readonly address: string;
  readonly connectMs: number;
  readonly answerMs: number;
  /** Number of the first request. */
  readonly firstOpaque: number;
  /** Before connecting. */
  readonly pauseMs: number;
}

// What may wait in this process for the kernel to take it; the rest is not even encoded yet.
const MAX_UNSENT_BYTES = 1024 * 1024;

/**
 * The one life of a connection: opening, open, lost. Exchanges are sent and answered in the order they
 * came. Every exchange ends: with its answers, or with the connection.
 */
export class Connection {
  readonly #options: ConnectionOptions;
  readonly #watch: StallWatch;
  /** Not begun: no byte of it was sent. */
  readonly #waiting: Exchange[] = [];
  /** Begun and not answered to the end; the first is the one that the server is at. */
  readonly #begun: Exchange[] = [];
  #state: "opening" | "open" | "lost" = "opening";
  #loss: MemqError | undefined;
  #link: Link | undefined;
  #opaque: number;
  /** Pieces that are still to be sent of the last one begun. */
  #pieces: Iterator<Buffer> | undefined;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.#opaque = options.firstOpaque;
    this.#watch = new StallWatch(() => {
      this.#stalled();
    });
    this.#watch.start(options.connectMs + options.pauseMs);
    void this.#open();
  }

  /** Another connection is needed. */
  get lost(): boolean {
    return this.#state === "lost";
  }

  /** The server answers on it. */
  get open(): boolean {
    return this.#state === "open";
  }

  /** What ended it; undefined before that. */
  get loss(): MemqError | undefined {
    return this.#loss;
  }

  /** Number of the next request. */
  get nextOpaque(): number {
    return this.#opaque;
  }

  /** Sends the exchange when those before it are sent. */
  send(exchange: Exchange): void {
    if (this.#state === "open" && this.#isIdle()) this.#watch.start(this.#options.answerMs);
    this.#waiting.push(exchange);
    if (this.#state === "open") this.#pump();
  }

  /** Ends a connection that is needed no more, as `end` does, and without haste where nothing is under way. */
  close(error: MemqError): void {
    if (this.#state === "open" && this.#isIdle()) this.#link?.leave();
    else this.#link?.destroy();
    this.#abandon(error);
  }

  /** Ends the connection and, with `error`, everything that is under way. */
  end(error: MemqError): void {
    if (this.#state === "lost") return;
    this.#link?.destroy();
    this.#abandon(error);
  }

  #abandon(error: MemqError): void {
    if (this.#state === "lost") return;
    this.#state = "lost";
    this.#loss = error;
    this.#watch.stop();
    for (const exchange of this.#begun.splice(0)) exchange.abandon(error, true);
    for (const exchange of this.#waiting.splice(0)) exchange.abandon(error, false);
  }

  async #open(): Promise<void> {
    const { server, address, pauseMs, connectMs } = this.#options;
    try {
      if (pauseMs > 0) await pause(pauseMs);
      const { openLink } = await import("./hardened-memjs.ts");
      if (this.lost) return;
      this.#watch.start(connectMs);
      this.#link = openLink(server, {
        ready: () => {
          this.#ready();
        },
        packet: (packet) => {
          this.#take(packet);
        },
        heard: () => {
          // Opening has its time as a whole: it is a few short answers.
          if (this.#state === "open") this.#watch.heard();
        },
        lost: (error) => {
          this.end(error);
        },
      });
    } catch (error) {
      this.end(unreachable(address, error instanceof Error ? error : String(error)));
    }
  }

  #ready(): void {
    this.#state = "open";
    this.#watch.start(this.#options.answerMs);
    this.#pump();
    this.#rest();
  }

  // Sends as much as may wait in this process; goes on when the kernel has taken a piece.
  #pump(): void {
    const link = this.#link;
    while (link !== undefined && this.#state === "open" && link.unsentBytes < MAX_UNSENT_BYTES) {
      const piece = this.#nextPiece();
      if (piece === undefined) return;
      const exchange = this.#begun.at(-1);
      link.write(piece, () => {
        // A server that takes later requests may still be stuck at the first.
        if (this.#begun[0] === exchange) this.#watch.progress();
        this.#pump();
      });
    }
  }

  #nextPiece(): Buffer | undefined {
    for (;;) {
      const next = this.#pieces?.next();
      if (next !== undefined && next.done !== true) return next.value;
      const exchange = this.#waiting.shift();
      if (exchange === undefined) return undefined;
      this.#begun.push(exchange);
      this.#pieces = exchange.begin(this.#opaque);
      this.#opaque = (this.#opaque + exchange.requests) >>> 0;
    }
  }

  #take(packet: Packet): void {
    this.#watch.progress();
    const taken = this.#begun[0]?.take(packet) ?? "stray";
    if (taken === "complete") {
      this.#begun.shift();
      this.#rest();
    } else if (taken === "stray") {
      this.end(unreachable(this.#options.address, "it answered a question that was not asked"));
    }
  }

  // Nothing under way: an idle connection keeps no process alive.
  #rest(): void {
    if (this.#isIdle()) this.#watch.stop();
  }

  #isIdle(): boolean {
    return this.#begun.length === 0 && this.#waiting.length === 0;
  }

  #stalled(): void {
    const { address, connectMs, answerMs } = this.#options;
    const opening = this.#state === "opening";
    const what = opening ? "no connection, or no answer on it, within" : "no answer for";
    this.end(unreachable(address, `${what} ${String((opening ? connectMs : answerMs) / 1_000)} s`));
  }
}
