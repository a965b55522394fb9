import type { Socket } from "node:net";
import { Server } from "memjs";
import type { ServerConfig } from "../../config/config.ts";
import { MemqError } from "../../errors.ts";
import { refusalError, refusalOf } from "./answers.ts";
import { OPCODE, PacketReader, STATUS, type Packet } from "./packets.ts";
import { encodePlain } from "./requests.ts";
import { addressOf, strangerError, unreachable } from "./strangers.ts";

/** What a link tells of its life: `ready` at most once, then packets; `lost` exactly once unless destroyed. */
export interface LinkEvents {
  /** The server has answered, in memcached's binary protocol, and accepted the user. */
  ready(): void;
  packet(packet: Packet): void;
  /** Something came from the server. */
  heard(): void;
  lost(error: MemqError): void;
}

/** One TCP connection to memcached, for one life: what fails is thrown away, nothing is sent twice. */
export interface Link {
  /** Bytes that the kernel has not taken yet. */
  readonly unsentBytes: number;
  /** `flushed` is called when the kernel has taken the bytes. */
  write(bytes: Buffer, flushed: () => void): void;
  destroy(): void;
  /** For one on which nothing is under way: as `destroy`, but its end costs a process that ends now nothing. */
  leave(): void;
}

// This file alone knows how memjs 1.3.2 works inside; package.json pins that version.
interface MemjsServer {
  username: string | undefined;
  password: string | undefined;
  timeoutSet: boolean;
  _socket?: Socket;
  sock(sasl: boolean, go: (socket: Socket) => void): void;
  listSasl(): void;
  saslAuth(): void;
  writeSASL(bytes: Buffer): void;
  responseHandler(piece: Buffer): void;
  error(error: Error): void;
  emit(event: "authenticated"): boolean;
}
const MemjsServer = Server as unknown as new (host: string, port: number) => MemjsServer;

// Blank lines to a server of text, which answers them instead of waiting for more.
const GREETING_OPAQUE = 0x0d0a0d0a;

// A server or firewall that went away while nothing was asked is noticed before something is.
const KEEP_ALIVE_MS = 30_000;

// Node opens stderr for every socket that it destroys: that takes a command 3 ms, and its end closes the socket, too.
const LEAVE_MS = 10;

/** Starts to connect; the link's life is told to `events`. @throws when the port cannot be one. */
export function openLink(server: ServerConfig, events: LinkEvents): Link {
  const link = new HardenedServer(server, events);
  link.open();
  return link;
}

/**
 * memjs's connection (connecting, SASL), without what loses tasks in it: time-outs by idle socket, answers
 * matched across connections, promises that nobody settles after a FIN, the rest of one connection read as
 * the start of the next, a copy of all that is unread per piece that arrives. It lives only once.
 */
class HardenedServer extends MemjsServer implements Link {
  readonly #server: ServerConfig;
  readonly #events: LinkEvents;
  readonly #reader = new PacketReader();
  #socket: Socket | undefined;
  #state: "opening" | "ready" | "ended" = "opening";
  /** Opcode of the opening's last request. */
  #asked: number = OPCODE.noop;

  constructor(server: ServerConfig, events: LinkEvents) {
    super(server.host, server.port);
    // memjs would look for others in the environment.
    this.username = server.username;
    this.password = server.password;
    this.#server = server;
    this.#events = events;
  }

  open(): void {
    this.sock(false, (socket) => {
      this.#asked = OPCODE.noop;
      socket.write(encodePlain(OPCODE.noop, "", GREETING_OPAQUE));
    });
    const socket = this._socket;
    if (socket === undefined) throw new Error("memjs opened no socket");
    this.#socket = socket;
    socket.setTimeout(0); // memjs's own, which restarts whenever a byte passes
    this.timeoutSet = false;
    socket.setNoDelay(true).setKeepAlive(true, KEEP_ALIVE_MS).unref();
    socket.on("close", () => {
      const when = this.#state === "opening" ? " without a word" : "";
      this.#end(unreachable(addressOf(this.#server), `it closed the connection${when}`));
    });
  }

  get unsentBytes(): number {
    return this.#socket?.writableLength ?? 0;
  }

  write(bytes: Buffer, flushed: () => void): void {
    this.#socket?.write(bytes, (error) => {
      if (!(error instanceof Error)) flushed(); // an error is told by the socket, too
    });
  }

  destroy(): void {
    this.#state = "ended"; // memjs goes on listening: whatever it still hears ends here
    this.#socket?.destroy();
  }

  leave(): void {
    this.#state = "ended";
    setTimeout(() => this.#socket?.destroy(), LEAVE_MS).unref();
  }

  override error(error: Error): void {
    this.#end(unreachable(addressOf(this.#server), error));
  }

  override listSasl(): void {
    this.#asked = OPCODE.saslList;
    this.writeSASL(encodePlain(OPCODE.saslList, "", GREETING_OPAQUE));
  }

  override saslAuth(): void {
    this.#asked = OPCODE.saslAuth;
    super.saslAuth();
  }

  override responseHandler(piece: Buffer): void {
    this.#events.heard();
    const isPackets = this.#reader.push(piece, (packet) => {
      this.#take(packet);
    });
    if (isPackets) return;
    const address = addressOf(this.#server);
    if (this.#state === "opening") this.#end(strangerError(address, piece));
    else this.#end(unreachable(address, "it sent bytes that are not memcached's protocol"));
  }

  #take(packet: Packet): void {
    if (this.#state === "ready") this.#events.packet(packet);
    else if (this.#state === "opening") this.#greeted(packet);
  }

  #greeted(packet: Packet): void {
    const error = greetingError(this.#server, packet, this.#asked);
    if (error !== undefined) this.#end(error);
    else if (packet.opcode === OPCODE.saslList) this.saslAuth();
    else if (packet.opcode === OPCODE.saslAuth) this.emit("authenticated");
    else {
      this.#state = "ready";
      this.#events.ready();
    }
  }

  #end(error: MemqError): void {
    if (this.#state === "ended") return;
    this.destroy();
    this.#events.lost(error);
  }
}

// What is wrong with an answer of the opening; undefined when it may go on. No sentence has the password.
function greetingError(server: ServerConfig, packet: Packet, asked: number): MemqError | undefined {
  const address = addressOf(server);
  if (packet.opcode !== asked) {
    return new MemqError("NOT_MEMCACHED", `${address} answered a question that was not asked`);
  }
  switch (asked) {
    case OPCODE.saslList:
      return mechanismError(server, packet);
    case OPCODE.saslAuth:
      if (packet.status === STATUS.ok) return undefined;
      return refused(`memcached at ${address} refused the user ${JSON.stringify(server.username)}`);
    default:
      return greetedError(address, packet);
  }
}

function greetedError(address: string, packet: Packet): MemqError | undefined {
  if (packet.status === STATUS.ok) return undefined;
  const refusal = refusalOf(packet);
  if (refusal !== undefined) return refusalError(address, refusal);
  return unreachable(address, `it answered a greeting with status ${String(packet.status)}`);
}

function mechanismError(server: ServerConfig, packet: Packet): MemqError | undefined {
  const address = addressOf(server);
  if (packet.status === STATUS.unknownCommand) {
    return refused(
      `memcached at ${address} knows no users: start it with -S, or remove username and password`,
    );
  }
  const mechanisms = packet.value.toString("latin1", 0, MAX_MECHANISMS_BYTES);
  if (packet.status === STATUS.ok && mechanisms.split(" ").includes("PLAIN")) return undefined;
  return refused(
    `memcached at ${address} does not offer SASL PLAIN (it offers ${JSON.stringify(mechanisms)})`,
  );
}

const MAX_MECHANISMS_BYTES = 200; // for the error; real lists are a few words

const refused = (message: string): MemqError => new MemqError("BROKER_REFUSED", message);
