import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { setTimeout as pause } from "node:timers/promises";

const HOST = "127.0.0.1";
const START_MS = 5_000;
const STOP_MS = 3_000;
const PORT_TRIES = 5; // somebody else may take a free port before memcached does

/** Why tests against a real memcached cannot run here; undefined when they can. For `describe.skipIf`. */
export const noMemcached: string | undefined =
  spawnSync("memcached", ["--version"]).status === 0 ? undefined : "memcached is not installed (not on PATH)";

/** A real memcached on 127.0.0.1. Ends with this process, whatever becomes of it. */
export interface MemcachedServer {
  readonly host: string;
  readonly port: number;
  /** Of memcached itself. */
  readonly pid: number;
  /** SIGSTOP, in force on return: the kernel goes on accepting connections and data, nobody answers. */
  freeze(): void;
  thaw(): void;
  /** SIGKILL; everything it kept is gone. Resolves when the port is free. */
  stop(): Promise<void>;
  /** `stop`, then a new, empty server on the same port. */
  restart(args?: readonly string[]): Promise<void>;
  /** A command of the text protocol on a connection of its own, e.g. `flush_all`, `stats`; answers its lines. */
  command(line: string): Promise<readonly string[]>;
}

/**
 * Starts memcached with `args` beside the address (e.g. `["-m", "64", "-M"]`); resolves when it accepts on
 * 127.0.0.1. With `-l` it listens where that says, which has to be there too.
 * @throws Error that says so when memcached is not installed.
 */
export async function startMemcached(args: readonly string[] = []): Promise<MemcachedServer> {
  if (noMemcached !== undefined) throw new Error(noMemcached);
  for (let tries = 1; ; tries++) {
    const port = await freePort();
    try {
      return makeServer(port, await launch(port, args), args);
    } catch (error) {
      if (tries === PORT_TRIES || !String(error).includes("Address already in use")) throw error;
    }
  }
}

interface Launched {
  readonly keeper: ChildProcess;
  readonly pid: number;
}

function makeServer(port: number, first: Launched, args: readonly string[]): MemcachedServer {
  let launched = first;
  const stop = async (): Promise<void> => {
    if (launched.keeper.exitCode !== null || launched.keeper.signalCode !== null) return;
    const exited = once(launched.keeper, "exit", { signal: AbortSignal.timeout(STOP_MS) });
    process.kill(launched.pid, "SIGKILL");
    launched.keeper.stdin?.end();
    await exited;
  };
  return {
    host: HOST,
    port,
    get pid() {
      return launched.pid;
    },
    freeze: () => {
      freeze(launched.pid);
    },
    thaw: () => {
      process.kill(launched.pid, "SIGCONT");
    },
    stop,
    restart: async (newArgs = args) => {
      await stop();
      launched = await launch(port, newArgs);
    },
    command: (line) => textCommand(port, line),
  };
}

// The shell outlives a test process that is killed: its standard input closes, and it kills memcached.
const KEEPER = '"$@" </dev/null & echo $!; read _; kill -KILL $! 2>/dev/null; wait $!; exit 0';

async function launch(port: number, args: readonly string[]): Promise<Launched> {
  const root = process.getuid?.() === 0 ? ["-u", "root"] : [];
  const elsewhere = args.includes("-l") ? [] : ["-l", HOST];
  const command = ["memcached", ...elsewhere, "-p", String(port), "-U", "0", ...root, ...args];
  const keeper = spawn("sh", ["-c", KEEPER, "keeper", ...command], { stdio: ["pipe", "pipe", "pipe"] });
  const said: string[] = [];
  keeper.stderr.on("data", (data: Buffer) => said.push(data.toString()));
  const [line] = (await once(keeper.stdout, "data")) as [Buffer];
  const pid = Number(line.toString());
  keeper.unref();
  await untilAccepting(port, pid).catch((error: unknown) => {
    keeper.stdin.end();
    throw new Error(`${command.join(" ")} did not start: ${said.join("").trim()}`, { cause: error });
  });
  return { keeper, pid };
}

// The signal reaches the threads one after the other, some milliseconds later.
function freeze(pid: number): void {
  process.kill(pid, "SIGSTOP");
  const end = Date.now() + STOP_MS;
  while (!isStopped(pid)) if (Date.now() > end) throw new Error(`process ${String(pid)} does not stop`);
}

// Not Linux: there is no telling.
const isStopped = (pid: number): boolean => states(pid).every((state) => state === "T");

// Of each thread: T is stopped, Z has ended.
function states(pid: number): readonly string[] {
  const tasks = `/proc/${String(pid)}/task`;
  if (!existsSync(tasks)) return [];
  return readdirSync(tasks).map((task) => {
    const stat = readFileSync(`${tasks}/${task}/stat`, "utf8");
    return stat.charAt(stat.lastIndexOf(")") + 2);
  });
}

async function untilAccepting(port: number, pid: number): Promise<void> {
  const end = Date.now() + START_MS;
  // Its shell does not look before the end: a memcached that could not start is left as a zombie.
  while (Date.now() < end && !states(pid).includes("Z")) {
    if (await accepts(port)) return;
    await pause(5);
  }
  throw new Error(`nothing accepts at ${HOST}:${String(port)}`);
}

async function accepts(port: number): Promise<boolean> {
  const socket = connect(port, HOST);
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false; // not listening yet
  } finally {
    socket.destroy();
  }
}

/** A port of 127.0.0.1 that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, HOST);
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

const LAST_LINE =
  /^(?:OK|END|RESET|DELETED|NOT_FOUND|ERROR|CLIENT_ERROR.*|SERVER_ERROR.*|VERSION .*|BUSY.*)$/;

async function textCommand(port: number, line: string): Promise<readonly string[]> {
  const socket: Socket = connect(port, HOST);
  socket.setTimeout(START_MS, () => socket.destroy(new Error(`no answer to ${line}`)));
  try {
    socket.write(`${line}\r\n`);
    let text = "";
    for await (const data of socket as AsyncIterable<Buffer>) {
      text += data.toString("latin1");
      const lines = text.split(/\r?\n/).slice(0, -1); // a dump of keys ends its lines without \r
      if (LAST_LINE.test(lines.at(-1) ?? "")) return lines;
    }
    return text.split("\r\n");
  } finally {
    socket.destroy();
  }
}
