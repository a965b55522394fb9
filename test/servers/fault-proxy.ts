import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";

/** A request of memcached's binary protocol, as the proxy saw it pass. */
export interface SeenRequest {
  /** From 1, counted over all connections since the proxy started. */
  readonly number: number;
  readonly opcode: number;
  readonly key: string;
  readonly value: string;
}

/** How a connection is cut: "end" says goodbye (FIN), "reset" does not (RST). */
export type Cut = "end" | "reset";

/** What befalls one connection, from the request that triggers it (or the command) on. */
export type Fault =
  /** The request and all after it never reach the server. */
  | { readonly kind: "cutBefore"; readonly cut: Cut }
  /** The server has done the request, and nothing after it; the client hears nothing from then on. */
  | { readonly kind: "cutAfter"; readonly cut: Cut }
  /** Of what the server says from then on, so many bytes get through. */
  | { readonly kind: "half"; readonly bytes: number; readonly cut: Cut }
  /** Everything the server says arrives so much later. */
  | { readonly kind: "delayAnswers"; readonly ms: number }
  /** The server does it all, what it says waits for `release()`. */
  | { readonly kind: "holdAnswers" }
  /** The request and all after it wait for `release()`; then the server gets them, even if the client has gone. */
  | { readonly kind: "holdRequests" }
  /** Nothing passes any more, either way; the connection stays open. */
  | { readonly kind: "blackhole" }
  /** From then on the server's bytes are replaced by these. */
  | { readonly kind: "garbage"; readonly bytes: Buffer };

/** A TCP proxy before a memcached, which does harm on command. Faults of `at` and `when` strike once each. */
export interface FaultProxy {
  readonly host: string;
  readonly port: number;
  /** Requests seen so far. */
  readonly requests: readonly SeenRequest[];
  /** Client connections open now. */
  readonly connections: number;
  /** Client connections accepted so far. */
  readonly accepted: number;
  /** Strikes at the nth request from now (1 = the next one). */
  at(nth: number, fault: Fault): void;
  /** Strikes at the next request for which `matches` holds. */
  when(matches: (request: SeenRequest) => boolean, fault: Fault): void;
  /** Strikes every open connection at once. */
  now(fault: Fault): void;
  /** Faults that have not struck yet. */
  readonly armed: number;
  /** Lets go what is held; the connections work normally again. */
  release(): void;
  /** Resolves when the server has done everything that came from clients which are gone. */
  landed(): Promise<void>;
  /** New connections are reset as soon as they are accepted, until `accept()`. */
  refuse(): void;
  accept(): void;
  /** Resolves when so many requests have been seen in all. */
  seen(count: number): Promise<void>;
  close(): Promise<void>;
}

const HOST = "127.0.0.1";
const HEADER_BYTES = 24;
const NOOP = 0x0a;
const NOOP_OPAQUE = 0xfa017777; // the proxy's own question; no client counts that far in a test

interface Trap {
  readonly matches: (request: SeenRequest) => boolean;
  readonly fault: Fault;
}

/** What links share: the traps set and the requests counted. */
interface Desk {
  readonly traps: Trap[];
  readonly requests: SeenRequest[];
  readonly waiting: { readonly count: number; readonly resolve: () => void }[];
}

/** Starts a proxy on a random port of 127.0.0.1 before `upstreamPort`. */
export async function startFaultProxy(upstreamPort: number): Promise<FaultProxy> {
  const desk: Desk = { traps: [], requests: [], waiting: [] };
  const links = new Set<Link>();
  let refusing = false;
  let accepted = 0;
  const server = createServer((client) => {
    if (refusing) {
      client.on("error", ignore).resetAndDestroy();
      return;
    }
    accepted++;
    const link = makeLink(client, upstreamPort, desk);
    links.add(link);
    client.on("close", () => {
      if (!link.holding()) links.delete(link);
    });
  });
  await listen(server);
  return {
    host: HOST,
    port: (server.address() as AddressInfo).port,
    requests: desk.requests,
    get connections() {
      return [...links].filter((link) => link.open()).length;
    },
    get accepted() {
      return accepted;
    },
    get armed() {
      return desk.traps.length;
    },
    landed: async () => {
      await Promise.all([...links].filter((link) => !link.open()).map((link) => link.over));
    },
    at: (nth, fault) => {
      const number = desk.requests.length + nth;
      desk.traps.push({ matches: (request) => request.number === number, fault });
    },
    when: (matches, fault) => void desk.traps.push({ matches, fault }),
    now: (fault) => {
      for (const link of links) link.strike(fault);
    },
    release: () => {
      for (const link of links) link.release();
    },
    refuse: () => void (refusing = true),
    accept: () => void (refusing = false),
    seen: (count) =>
      new Promise((resolve) => {
        if (desk.requests.length >= count) resolve();
        else desk.waiting.push({ count, resolve });
      }),
    close: async () => {
      for (const link of links) link.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

const ignore = (): void => undefined; // a cut connection's errors are the point of this file

async function listen(server: Server): Promise<void> {
  server.listen(0, HOST);
  await once(server, "listening");
}

interface Link {
  strike(fault: Fault): void;
  release(): void;
  holding(): boolean;
  open(): boolean;
  /** The server has read to the end, and closed. */
  readonly over: Promise<unknown>;
  destroy(): void;
}

function makeLink(client: Socket, upstreamPort: number, desk: Desk): Link {
  const upstream = connect(upstreamPort, HOST);
  const over = new Promise((resolve) => upstream.once("close", resolve));
  for (const socket of [client, upstream]) socket.setNoDelay(true).on("error", ignore);
  let rest: Buffer = Buffer.alloc(0); // of the client's stream: less than one request
  let fault: Fault | undefined;
  let passed = 0; // bytes of the server's since "half" struck
  let heldRequests: Buffer[] = [];
  let heldAnswers: Buffer[] = [];

  const cut = (how: Cut): void => {
    if (how === "reset") client.resetAndDestroy();
    else client.end();
    upstream.destroy();
  };
  const strike = (struck: Fault): void => {
    fault = struck;
    passed = 0;
    if (struck.kind === "cutBefore") cut(struck.cut);
    if (struck.kind === "cutAfter") upstream.write(noop());
    if (struck.kind === "garbage") client.write(struck.bytes);
  };
  const forward = (bytes: Buffer): void => {
    switch (fault?.kind) {
      case "cutBefore":
      case "cutAfter":
      case "blackhole":
      case "garbage":
        return;
      case "holdRequests":
        heldRequests.push(bytes);
        return;
      default:
        upstream.write(bytes);
    }
  };
  const pass = (request: SeenRequest, bytes: Buffer): void => {
    const index = desk.traps.findIndex((trap) => trap.matches(request));
    const [trap] = index < 0 ? [] : desk.traps.splice(index, 1);
    // Only these two let the server have the request first.
    if (trap?.fault.kind === "cutAfter") {
      forward(bytes);
      strike(trap.fault);
    } else {
      if (trap !== undefined) strike(trap.fault);
      forward(bytes);
    }
  };

  client.on("data", (data) => {
    rest = Buffer.concat([rest, data]);
    let at = 0;
    let plain = at; // requests that no trap is set for pass in one piece
    for (let length = requestLength(rest, at); length > 0; length = requestLength(rest, at)) {
      const request = readRequest(rest.subarray(at, at + length), desk.requests.length + 1);
      desk.requests.push(request);
      if (desk.traps.some((trap) => trap.matches(request))) {
        if (at > plain) forward(rest.subarray(plain, at));
        pass(request, rest.subarray(at, at + length));
        plain = at + length;
      }
      at += length;
    }
    if (at > plain) forward(rest.subarray(plain, at));
    rest = rest.subarray(at);
    announce(desk);
  });
  client.on("close", () => {
    if (fault?.kind === "holdRequests") return;
    upstream.end();
  });
  client.on("end", () => {
    if (fault?.kind === "holdRequests") client.end();
  });

  upstream.on("data", (data) => {
    switch (fault?.kind) {
      case undefined:
      case "holdRequests":
        client.write(data);
        return;
      case "cutAfter":
        if (hasNoop(data)) cut(fault.cut);
        return;
      case "half":
        client.write(data.subarray(0, Math.max(0, fault.bytes - passed)));
        passed += data.length;
        if (passed >= fault.bytes) cutFlushed(client, upstream, fault.cut);
        return;
      case "delayAnswers":
        setTimeout(() => client.writable && client.write(data), fault.ms);
        return;
      case "holdAnswers":
        heldAnswers.push(data);
        return;
      default:
        return; // blackhole, garbage, cutBefore: the server talks to nobody
    }
  });
  upstream.on("close", () => {
    if (fault?.kind !== "blackhole" && fault?.kind !== "garbage" && fault?.kind !== "half") client.end();
  });

  return {
    strike,
    over,
    holding: () => fault?.kind === "holdRequests",
    open: () => !client.destroyed,
    release: () => {
      fault = undefined;
      for (const bytes of heldRequests) upstream.write(bytes);
      if (client.writable) for (const bytes of heldAnswers) client.write(bytes);
      if (client.destroyed) upstream.end();
      heldRequests = [];
      heldAnswers = [];
    },
    destroy: () => {
      client.destroy();
      upstream.destroy();
    },
  };
}

// A reset overtakes bytes that are still to be sent: what was promised goes out first.
function cutFlushed(client: Socket, upstream: Socket, how: Cut): void {
  upstream.destroy();
  client.write("", () => {
    if (how === "end") client.end();
    else setTimeout(() => client.resetAndDestroy(), 20); // the reader's kernel drops unread bytes at a reset
  });
}

function announce(desk: Desk): void {
  for (const waiter of desk.waiting) if (desk.requests.length >= waiter.count) waiter.resolve();
}

function requestLength(bytes: Buffer, at: number): number {
  if (bytes.length - at < HEADER_BYTES) return 0;
  const length = HEADER_BYTES + bytes.readUInt32BE(at + 8);
  return bytes.length - at < length ? 0 : length;
}

function readRequest(bytes: Buffer, number: number): SeenRequest {
  const keyAt = HEADER_BYTES + bytes.readUInt8(4);
  const valueAt = keyAt + bytes.readUInt16BE(2);
  return {
    number,
    opcode: bytes.readUInt8(1),
    key: bytes.toString("latin1", keyAt, valueAt),
    value: bytes.toString("utf8", valueAt),
  };
}

function noop(): Buffer {
  const bytes = Buffer.alloc(HEADER_BYTES);
  bytes[0] = 0x80;
  bytes[1] = NOOP;
  bytes.writeUInt32BE(NOOP_OPAQUE, 12);
  return bytes;
}

// Its answer is the last the server says: the request before it has been done.
function hasNoop(data: Buffer): boolean {
  if (data.length < HEADER_BYTES) return false;
  return data.readUInt32BE(data.length - HEADER_BYTES + 12) === NOOP_OPAQUE;
}
