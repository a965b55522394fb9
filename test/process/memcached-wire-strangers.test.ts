import { once } from "node:events";
import { createServer } from "node:http";
import { connect, type AddressInfo, type Socket } from "node:net";
import { afterEach, describe, expect, test, vi, type TestContext } from "vitest";
import { openMemjsWire, type WireOptions } from "../../src/adapters/memcached/memjs-wire.ts";
import type { Wire } from "../../src/adapters/memcached/wire.ts";
import { startFakeServer, startTextServer, type FakeServer } from "../servers/fake-server.ts";
import { noMemcached, startMemcached } from "../servers/memcached-server.ts";
import { startPasswordServer } from "../servers/password-server.ts";

const closing: (() => unknown)[] = [];
afterEach(async () => {
  vi.unstubAllEnvs();
  for (const close of closing.splice(0).reverse()) await close();
});

const closeLater = <T extends { close: () => unknown }>(thing: T): T => {
  closing.push(() => thing.close());
  return thing;
};

function needMemcached(context: TestContext): void {
  if (noMemcached !== undefined) context.skip(noMemcached);
}

const open = (server: WireOptions["server"], options: Partial<WireOptions> = {}): Wire =>
  closeLater(openMemjsWire({ server, connectMs: 2_000, ...options }));

const ask = (wire: Wire): Promise<unknown> => wire.batch([{ kind: "add", key: "a", value: "x" }]);

describe("a server that is not memcached is named with its likely kind", () => {
  test.each([
    ["ERROR\r\n", "-B ascii"],
    ["CLIENT_ERROR bad command\r\n", "-B ascii"],
    ["SSH-2.0-OpenSSH_9.2\r\n", "SSH"],
    ["-ERR unknown command '\\x80'\r\n", "Redis"],
    ["AMQP\0\0\x09\x01", "RabbitMQ"],
    ["hello\r\n", 'answered "hello"'],
  ])("%j", async (text, likely) => {
    const server = closeLater(await startTextServer(text));
    const address = `127.0.0.1:${String(server.port)}`;
    await expect(ask(open(server))).rejects.toMatchObject({
      code: "NOT_MEMCACHED",
      message: expect.stringContaining(likely) as string,
    });
    await expect(ask(open(server))).rejects.toThrow(address);
  });

  test("one that speaks first", async () => {
    const server = closeLater(await startFakeServer((socket) => socket.write("220 mail.example ESMTP\r\n")));
    await expect(ask(open(server))).rejects.toMatchObject({ code: "NOT_MEMCACHED" });
  });

  test("a web server", async () => {
    const web = createServer().listen(0, "127.0.0.1");
    closing.push(() => web.close());
    await once(web, "listening");
    const { port } = web.address() as AddressInfo;
    await expect(ask(open({ host: "127.0.0.1", port }))).rejects.toMatchObject({
      code: "NOT_MEMCACHED",
      message: `127.0.0.1:${String(port)} answered "HTTP/1.1 400 Bad Request": a web server?`,
    });
  });

  test("a memcached with -B ascii", async (context) => {
    needMemcached(context);
    const server = await startMemcached(["-B", "ascii"]);
    closing.push(() => server.stop());
    await expect(ask(open(server))).rejects.toMatchObject({
      code: "NOT_MEMCACHED",
      message: expect.stringContaining("-B ascii") as string,
    });
  });

  test("also where a user name is given", async (context) => {
    needMemcached(context);
    const server = await startMemcached(["-B", "ascii"]);
    closing.push(() => server.stop());
    const wire = open({ host: server.host, port: server.port, username: "u", password: "p" });
    await expect(ask(wire)).rejects.toMatchObject({ code: "NOT_MEMCACHED" });
  });

  test("one that accepts and says nothing is unreachable after the time for connecting", async () => {
    const server = closeLater(await startFakeServer(() => undefined));
    await expect(ask(open(server, { connectMs: 300 }))).rejects.toMatchObject({
      code: "BROKER_UNREACHABLE",
      message: expect.stringContaining("within 0.3 s") as string,
    });
  });

  test("a memcached without a free connection is not a stranger", async (context) => {
    needMemcached(context);
    const server = await startMemcached(["-t", "1", "-c", "30"]);
    closing.push(() => server.stop());
    const others: Socket[] = [];
    closing.push(() => {
      for (const socket of others) socket.destroy();
    });
    const refusals = async (): Promise<string> => {
      others.push(connect(server.port, server.host).on("error", () => undefined));
      return ask(open(server)).then(String, (error: unknown) => (error as Error).message);
    };
    await expect.poll(refusals).toContain("has no connection left");
  });
});

describe("a server that plays games while connecting", () => {
  const packetOf = (opcode: number, status: number): Buffer => {
    const bytes = Buffer.alloc(24);
    bytes.set([0x81, opcode]);
    bytes.writeUInt16BE(status, 6);
    return bytes;
  };

  test.each([0x20, 0x21, 0x00])("by answering what was not asked (%d) is no memcached", async (opcode) => {
    const server = closeLater(
      await startFakeServer((socket) => socket.on("data", () => socket.write(packetOf(opcode, 0)))),
    );
    await expect(ask(open(server))).rejects.toMatchObject({ code: "NOT_MEMCACHED" });
  });

  test("by being busy is unreachable", async () => {
    const server = closeLater(
      await startFakeServer((socket) => socket.on("data", () => socket.write(packetOf(0x0a, 0x85)))),
    );
    await expect(ask(open(server))).rejects.toMatchObject({ code: "BROKER_UNREACHABLE" });
  });

  test("by sending a byte now and then has no more time than others", async () => {
    const server = closeLater(
      await startFakeServer((socket) => {
        const bytes = packetOf(0x0a, 0);
        let at = 0;
        const trickle = setInterval(() => socket.write(bytes.subarray(at, ++at)), 100);
        socket.on("close", () => {
          clearInterval(trickle);
        });
      }),
    );
    await expect(ask(open(server, { connectMs: 500 }))).rejects.toMatchObject({ code: "BROKER_UNREACHABLE" });
  });
});

describe("an address in brackets", () => {
  test("is how a server with an IPv6 address is named", async () => {
    const wire = open({ host: "::1", port: 1 });
    expect(wire.server).toBe("[::1]:1");
    await expect(ask(wire)).rejects.toThrow("memcached at [::1]:1");
  });

  test("reaches a memcached that listens there", async (context) => {
    needMemcached(context);
    const server = await startMemcached(["-l", "::1"]).catch(() => undefined);
    if (server === undefined) return context.skip("no IPv6 here");
    closing.push(() => server.stop());
    expect(await ask(open({ host: "::1", port: server.port }))).toMatchObject([{ kind: "ok" }]);
  });
});

const OK = 0x00;
const AUTH_ERROR = 0x20;
const UNKNOWN_COMMAND = 0x81;

interface SaslServer extends FakeServer {
  /** "opcode:value" of each request. */
  readonly heard: readonly string[];
}

/** Speaks what memcached -S speaks: mechanisms, PLAIN, and the rest for those who have passed only. */
async function startSaslServer(mechanisms = "CRAM-MD5 PLAIN"): Promise<SaslServer> {
  const heard: string[] = [];
  const server = await startFakeServer((socket) => {
    let known = false;
    socket.on("data", (data) => {
      for (let at = 0; at < data.length; at += 24 + data.readUInt32BE(at + 8)) {
        const opcode = data.readUInt8(at + 1);
        const value = data.toString(
          "latin1",
          at + 24 + data.readUInt8(at + 4),
          at + 24 + data.readUInt32BE(at + 8),
        );
        heard.push(`${opcode.toString(16)}:${value}`);
        if (opcode === 0x21) known = value === "PLAIN\0push\0s3cret";
        const status = opcode === 0x20 || known ? OK : AUTH_ERROR;
        const words = opcode === 0x20 ? mechanisms : "";
        socket.write(answer(data.subarray(at, at + 24), mechanisms === "" ? UNKNOWN_COMMAND : status, words));
      }
    });
  });
  return Object.assign(server, { heard });
}

function answer(request: Buffer, status: number, words: string): Buffer {
  const bytes = Buffer.concat([request, Buffer.from(words)]);
  bytes.fill(0, 2, 12)[0] = 0x81;
  bytes.writeUInt16BE(status, 6);
  bytes.writeUInt32BE(words.length, 8);
  return bytes;
}

describe("a server that asks for a user", () => {
  const user = (server: FakeServer, password: string): WireOptions["server"] => ({
    host: server.host,
    port: server.port,
    username: "push",
    password,
  });

  test("lets in the right one", async () => {
    const server = closeLater(await startSaslServer());
    expect(await ask(open(user(server, "s3cret")))).toMatchObject([{ kind: "ok" }]);
    expect(server.heard.slice(0, 3)).toEqual(["20:", "21:PLAIN\0push\0s3cret", "a:"]);
  });

  test("refuses a wrong password, which is in no message; nothing else was sent", async () => {
    const server = closeLater(await startSaslServer());
    const error: unknown = await ask(open(user(server, "wr0ng"))).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      code: "BROKER_REFUSED",
      message: `memcached at 127.0.0.1:${String(server.port)} refused the user "push"`,
    });
    expect(JSON.stringify(error) + String((error as Error).stack)).not.toContain("wr0ng");
    expect(server.heard).toHaveLength(2);
  });

  test("refuses nobody, before anything was sent", async () => {
    const server = closeLater(await startSaslServer());
    await expect(ask(open(server))).rejects.toMatchObject({ code: "BROKER_REFUSED" });
    expect(server.heard).toEqual(["a:"]);
  });

  test("is not told a password in a way that it does not offer", async () => {
    const server = closeLater(await startSaslServer("SCRAM-SHA-512"));
    await expect(ask(open(user(server, "s3cret")))).rejects.toMatchObject({
      code: "BROKER_REFUSED",
      message: expect.stringContaining("SCRAM-SHA-512") as string,
    });
    expect(server.heard).toEqual(["20:"]);
  });

  test("gets no user from the environment", async () => {
    vi.stubEnv("MEMCACHE_USERNAME", "push");
    vi.stubEnv("MEMCACHE_PASSWORD", "s3cret");
    const server = closeLater(await startSaslServer());
    await expect(ask(open(server))).rejects.toMatchObject({ code: "BROKER_REFUSED" });
    expect(server.heard).toEqual(["a:"]);
  });

  test("a real one lets in the right one only", async (context) => {
    needMemcached(context);
    const passwords = closeLater(await startPasswordServer({ push: "s3cret" }));
    vi.stubEnv("SASL_CONF_PATH", passwords.folder);
    const server = await startMemcached(["-S"]).catch(() => undefined);
    if (server === undefined) return context.skip("this memcached was built without SASL");
    closing.push(() => server.stop());
    const address = { host: server.host, port: server.port, username: "push" };
    expect(await ask(open({ ...address, password: "s3cret" }))).toMatchObject([{ kind: "ok" }]);
    for (const wrong of [
      { ...address, password: "wr0ng" },
      { host: server.host, port: server.port },
    ]) {
      await expect(ask(open(wrong))).rejects.toMatchObject({ code: "BROKER_REFUSED" });
    }
  });

  test("a real one without users says so", async (context) => {
    needMemcached(context);
    const server = await startMemcached();
    closing.push(() => server.stop());
    const wire = open({ host: server.host, port: server.port, username: "push", password: "s3cret" });
    await expect(ask(wire)).rejects.toMatchObject({
      code: "BROKER_REFUSED",
      message: expect.stringContaining("knows no users") as string,
    });
  });

  test("one that never answers the password is given up", async () => {
    const server = closeLater(
      await startFakeServer((socket) => {
        socket.once("data", (data) => socket.write(answer(data.subarray(0, 24), OK, "PLAIN")));
      }),
    );
    await expect(ask(open(user(server, "s3cret"), { connectMs: 300 }))).rejects.toMatchObject({
      code: "BROKER_UNREACHABLE",
    });
  });
});

describe("a server that refuses commands", () => {
  /** Answers the greeting, then each request with the status that `statusOf` its opcode. */
  const startRefusing = (statusOf: (opcode: number) => number): Promise<FakeServer> =>
    startFakeServer((socket) => {
      socket.on("data", (data) => {
        for (let at = 0; at < data.length; at += 24 + data.readUInt32BE(at + 8)) {
          const opcode = data.readUInt8(at + 1);
          socket.write(answer(data.subarray(at, at + 24), opcode === 0x0a ? OK : statusOf(opcode), ""));
        }
      });
    });

  test.each([
    [0x04, "BUG"],
    [0x20, "BROKER_REFUSED"],
    [0x21, "BROKER_REFUSED"],
    [0x81, "NOT_MEMCACHED"],
    [0x83, "NOT_MEMCACHED"],
  ])("status %d to all of a batch is an error: nothing was done", async (status, code) => {
    const server = closeLater(await startRefusing(() => status));
    const wire = open(server);
    await expect(ask(wire)).rejects.toMatchObject({ code });
    await expect(wire.stats("")).rejects.toMatchObject({ code });
  });

  test("to one of a batch is unknown, the others are true", async () => {
    const server = closeLater(await startRefusing((opcode) => (opcode === 0x1c ? UNKNOWN_COMMAND : OK)));
    const answers = await open(server).batch([
      { kind: "add", key: "a", value: "x" },
      { kind: "touch", key: "a", ttlSeconds: 5 },
    ]);
    expect(answers.map(({ kind }) => kind)).toEqual(["ok", "unknown"]);
  });

  test.each([0x84, 0x85, 0x86, 0x7777])("status %d leaves open what happened", async (status) => {
    const server = closeLater(await startRefusing(() => status));
    expect(await ask(open(server))).toEqual([{ kind: "unknown" }]);
  });
});
