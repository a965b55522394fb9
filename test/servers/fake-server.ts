import { spawn } from "node:child_process";
import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";

const HOST = "127.0.0.1";

/** A server on a random port of 127.0.0.1 that does what a test says. */
export interface FakeServer {
  readonly host: string;
  readonly port: number;
  /** Connections accepted so far. */
  readonly accepted: number;
  close(): Promise<void>;
}

/** Calls `serve` for each connection. */
export async function startFakeServer(serve: (socket: Socket) => void): Promise<FakeServer> {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket.on("error", () => undefined)); // clients hang up on fakes as they like
    serve(socket);
  });
  server.listen(0, HOST);
  await once(server, "listening");
  return {
    host: HOST,
    port: (server.address() as AddressInfo).port,
    get accepted() {
      return sockets.length;
    },
    close: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

/** Says `text` to whatever it is asked, as servers of text do. */
export const startTextServer = (text: string): Promise<FakeServer> =>
  startFakeServer((socket) => socket.on("data", () => socket.write(text)));

// Listens, says where, and then does nothing at all: not even accept.
const DEAF = `
  const server = require("node:net").createServer().listen({ port: 0, host: "${HOST}", backlog: 1 }, () => {
    require("node:fs").writeSync(1, String(server.address().port));
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 60_000);
  });`;

/** A port whose queue of connections is full: further attempts are never answered, as behind a silent firewall. */
export async function startDeafServer(): Promise<{ host: string; port: number; close: () => void }> {
  const child = spawn(process.execPath, ["-e", DEAF], { stdio: ["ignore", "pipe", "inherit"] });
  const [data] = (await once(child.stdout, "data")) as [Buffer];
  const port = Number(data.toString());
  const queued: Socket[] = [];
  // One connects more than fit, and hangs: then the queue is full.
  for (let hangs = false; !hangs;) {
    const socket = connect(port, HOST).on("error", () => undefined);
    queued.push(socket);
    hangs = await Promise.race([
      once(socket, "connect").then(() => false),
      new Promise<boolean>((resolve) => setTimeout(resolve, 300, true)),
    ]);
  }
  return {
    host: HOST,
    port,
    close: () => {
      for (const socket of queued) socket.destroy();
      child.kill("SIGKILL");
    },
  };
}
