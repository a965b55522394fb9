import { setTimeout as pause } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { openMemjsWire, type WireOptions } from "../../src/adapters/memcached/memjs-wire.ts";
import type { Answer, Operation, Wire } from "../../src/adapters/memcached/wire.ts";
import { startDeafServer, startFakeServer } from "../servers/fake-server.ts";
import { startFaultProxy, type Cut, type FaultProxy } from "../servers/fault-proxy.ts";
import { freePort, noMemcached, startMemcached, type MemcachedServer } from "../servers/memcached-server.ts";
import { starvation } from "../starvation.ts";

const ADD = 0x02;
const GET = 0x00;
const APPEND = 0x0e;

let server: MemcachedServer;
let proxy: FaultProxy;
const closing: (() => unknown)[] = [];
let tests = 0;

beforeAll(async () => {
  if (noMemcached === undefined) server = await startMemcached();
});
afterAll(async () => {
  if (noMemcached === undefined) await server.stop();
});
beforeEach(async (context) => {
  if (noMemcached !== undefined) context.skip(noMemcached);
  tests++;
  proxy = await startFaultProxy(server.port);
  closing.push(() => proxy.close());
});
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

function open(options: Partial<WireOptions> = {}): Wire {
  const wire = openMemjsWire({ server: proxy, ...options });
  closing.push(() => {
    wire.close();
  });
  return wire;
}

const key = (name: string): string => `f${String(tests)}:${name}`;
const kinds = (answers: readonly Answer[]): string[] => answers.map((answer) => answer.kind);
const get = (name: string): Operation => ({ kind: "get", key: key(name) });
const add = (name: string, value: string): Operation => ({ kind: "add", key: key(name), value });
const append = (name: string, value: string): Operation => ({ kind: "append", key: key(name), value });

/** What the server has, asked beside the proxy. */
async function kept(name: string): Promise<string | undefined> {
  const wire = open({ server });
  const [answer] = await wire.batch([get(name)]);
  return answer?.kind === "ok" ? answer.value?.toString() : undefined;
}

/** How long it took, and for how much of that this process was given no processor. */
async function elapsed(action: () => Promise<unknown>): Promise<{ ms: number; starvedMs: number }> {
  const [start, starvedMs] = [performance.now(), starvation()];
  await action();
  return { ms: performance.now() - start, starvedMs: starvedMs() };
}

describe("a connection that breaks", () => {
  test.each<Cut>(["end", "reset"])(
    "before the request arrives (%s): unknown, and nothing is sent again",
    async (cut) => {
      const wire = open();
      proxy.when((request) => request.opcode === ADD, { kind: "cutBefore", cut });
      expect(kinds(await wire.batch([add("a", "x")]))).toEqual(["unknown"]);
      expect(kinds(await wire.batch([get("a")]))).toEqual(["missing"]);
      expect(proxy.requests.filter((request) => request.opcode === ADD)).toHaveLength(1);
    },
  );

  test.each<Cut>(["end", "reset"])(
    "after the server did it (%s): unknown, and done exactly once",
    async (cut) => {
      const wire = open();
      await wire.batch([add("a", "")]);
      proxy.when((request) => request.opcode === APPEND, { kind: "cutAfter", cut });
      expect(kinds(await wire.batch([append("a", "x")]))).toEqual(["unknown"]);
      expect(kinds(await wire.batch([get("none")]))).toEqual(["missing"]);
      expect(await kept("a")).toBe("x");
    },
  );

  test("in the middle of a batch: what was not answered is unknown, what was answered is true", async () => {
    const wire = open();
    const names = Array.from({ length: 10 }, (_, n) => String(n));
    await wire.batch([get("warm")]);
    proxy.now({ kind: "half", bytes: 4 * 24 + 10, cut: "reset" });
    const answers = kinds(await wire.batch(names.map((name) => add(name, "x"))));
    const told = answers.filter((kind) => kind === "ok").length;
    expect(told).toBeLessThanOrEqual(4);
    expect(answers).toEqual(names.map((_, n) => (n < told ? "ok" : "unknown")));
    for (const name of names) expect(await kept(name)).toBe("x");
  });

  test.each<[number, Cut]>([
    [1, "reset"],
    [23, "end"],
    [30, "reset"],
    [30, "end"],
    [5_000, "reset"],
    [5_000, "end"],
  ])(
    "after %d bytes of an answer (%s): unknown, and no byte of it is in a later answer",
    async (bytes, cut) => {
      const wire = open();
      await wire.batch([add("a", "a".repeat(10_000)), add("b", "b".repeat(10_000))]);
      proxy.when((request) => request.opcode === GET, { kind: "half", bytes, cut });
      expect(kinds(await wire.batch([get("a")]))).toEqual(["unknown"]);
      expect(await wire.batch([get("b")])).toMatchObject([{ value: Buffer.from("b".repeat(10_000)) }]);
    },
  );

  test("with bytes that are no answer: unknown, then a new connection", async () => {
    const wire = open();
    await wire.batch([get("warm")]);
    proxy.when((request) => request.opcode === ADD, {
      kind: "garbage",
      bytes: Buffer.from("HTTP/1.1 200 OK\r\n"),
    });
    expect(kinds(await wire.batch([add("a", "x")]))).toEqual(["unknown"]);
    expect(kinds(await wire.batch([get("a")]))).toEqual(["missing"]);
    expect(proxy.accepted).toBe(2);
  });

  test("with an answer to a question that nobody asked: unknown, then a new connection", async () => {
    const wire = open();
    await wire.batch([add("a", "right")]);
    const stray = Buffer.alloc(24);
    stray[0] = 0x81;
    stray.writeUInt32BE(4_711, 12);
    proxy.when((request) => request.opcode === GET, { kind: "garbage", bytes: stray });
    expect(kinds(await wire.batch([get("a")]))).toEqual(["unknown"]);
    expect(await wire.batch([get("a")])).toMatchObject([{ value: Buffer.from("right") }]);
  });

  test("while idle harms nobody: the next batch has a new connection", async () => {
    const wire = open();
    await wire.batch([add("a", "x")]);
    proxy.now({ kind: "cutBefore", cut: "end" });
    await expect.poll(() => proxy.connections).toBe(0);
    expect(kinds(await wire.batch([get("a")]))).toEqual(["ok"]);
  });

  test("is not what an idle one does: it is kept, however long", async () => {
    const wire = open({ answerMs: 200, connectMs: 200 });
    await wire.batch([get("a")]);
    await pause(700);
    await wire.batch([get("a")]);
    expect(proxy.accepted).toBe(1);
  });

  test("under concurrent batches: each of them is answered", async () => {
    const wire = open();
    await wire.batch([get("warm")]);
    proxy.at(37, { kind: "cutAfter", cut: "reset" });
    const batches = Array.from({ length: 100 }, (_, n) => wire.batch([add(String(n), "x"), get(String(n))]));
    for (const answers of await Promise.all(batches)) expect(answers).toHaveLength(2);
    expect(kinds(await wire.batch([get("0")]))).toEqual(["ok"]);
  });

  test("with a batch larger than any buffer: each operation is answered", async () => {
    const wire = open();
    await wire.batch([get("warm")]);
    const value = "x".repeat(500_000);
    proxy.at(20, { kind: "cutAfter", cut: "reset" });
    const answers = await wire.batch(Array.from({ length: 60 }, (_, n) => add(String(n), value)));
    const told = kinds(answers).filter((kind) => kind === "ok").length;
    expect(told).toBeLessThan(20);
    expect(kinds(answers)).toEqual(answers.map((_, n) => (n < told ? "ok" : "unknown")));
    expect(await kept("19")).toBe(value);
    expect(await kept("20")).toBeUndefined();
  });

  test("during statistics: they are refused", async () => {
    const wire = open();
    await wire.batch([get("warm")]);
    proxy.now({ kind: "half", bytes: 100, cut: "end" });
    await expect(wire.stats("")).rejects.toMatchObject({ code: "BROKER_UNREACHABLE" });
    expect((await wire.stats("")).get("pid")).toBe(String(server.pid));
  });
});

describe("a server that is slow", () => {
  test("an answer that comes late, but in time, is true", async () => {
    const wire = open({ answerMs: 2_000 });
    await wire.batch([get("warm")]);
    proxy.now({ kind: "delayAnswers", ms: 700 });
    expect(kinds(await wire.batch([add("a", "x")]))).toEqual(["ok"]);
  });

  test("an answer that comes too late is never taken for another's", async () => {
    const wire = open({ answerMs: 300 });
    await wire.batch([add("a", "a"), add("b", "b")]);
    proxy.now({ kind: "delayAnswers", ms: 700 });
    expect(kinds(await wire.batch([get("a")]))).toEqual(["unknown"]);
    const end = Date.now() + 1_000;
    while (Date.now() < end) {
      expect(await wire.batch([get("b")])).toMatchObject([{ value: Buffer.from("b") }]);
      await pause(20);
    }
  });

  test("a request held back on the way may happen after it was answered as unknown", async () => {
    const wire = open({ answerMs: 300 });
    await wire.batch([get("warm")]);
    proxy.when((request) => request.opcode === ADD, { kind: "holdRequests" });
    expect(kinds(await wire.batch([add("a", "late")]))).toEqual(["unknown"]);
    expect(kinds(await wire.batch([get("a")]))).toEqual(["missing"]);
    proxy.release();
    await expect.poll(() => kept("a")).toBe("late");
  });

  test("a stall of two seconds is waited out, with the default limits", async () => {
    const wire = open({ server });
    await wire.batch([get("warm")]);
    server.freeze();
    setTimeout(() => {
      server.thaw();
    }, 2_000);
    expect(kinds(await wire.batch([add("a", "x"), get("a")]))).toEqual(["ok", "ok"]);
  });

  test("a stall of two seconds is waited out while connecting, too", async () => {
    const wire = open({ server });
    server.freeze();
    setTimeout(() => {
      server.thaw();
    }, 2_000);
    expect(kinds(await wire.batch([add("a", "x")]))).toEqual(["ok"]);
  });

  test("a stall without end is given up after four seconds, with the default limits", async () => {
    const wire = open({ server });
    await wire.batch([get("warm")]);
    server.freeze();
    try {
      const { ms, starvedMs } = await elapsed(async () => {
        expect(kinds(await wire.batch([add("a", "x")]))).toEqual(["unknown"]);
      });
      expect(ms).toBeGreaterThan(3_900);
      expect(ms).toBeLessThan(5_000 + starvedMs);
      // Nothing was sent on the connection that could not be made: that is an error, not a doubt.
      await expect(wire.batch([add("a", "x")])).rejects.toMatchObject({ code: "BROKER_UNREACHABLE" });
    } finally {
      server.thaw();
    }
    expect(kinds(await wire.batch([get("warm")]))).toEqual(["missing"]);
  });

  test("later requests do not prolong the wait for the first", async () => {
    const wire = open({ answerMs: 600 });
    await wire.batch([get("warm")]);
    proxy.now({ kind: "holdAnswers" });
    const answers: Promise<readonly Answer[]>[] = [];
    const { ms, starvedMs } = await elapsed(async () => {
      const first = wire.batch([get("a")]);
      const more = setInterval(() => answers.push(wire.batch([get("b")])), 50);
      expect(kinds(await first)).toEqual(["unknown"]);
      clearInterval(more);
    });
    expect(ms).toBeLessThan(1_500 + starvedMs);
    for (const answer of answers) expect(["unknown", "missing"]).toContain(kinds(await answer)[0]);
  });

  test("a batch may take longer than the limit while the server goes on answering", async () => {
    const slow = await startFakeServer((socket) => {
      // Answers each packet as memcached does, one per 100 ms.
      let last = Date.now();
      socket.on("data", (data) => {
        for (let at = 0; at < data.length; at += 24 + data.readUInt32BE(at + 8)) {
          const answer = Buffer.alloc(24);
          data.copy(answer, 0, at, at + 24);
          answer.fill(0, 2, 12)[0] = 0x81;
          last = Math.max(last + 100, Date.now());
          setTimeout(() => socket.write(answer), last - Date.now());
        }
      });
    });
    closing.push(() => slow.close());
    const wire = open({ server: slow, answerMs: 500 });
    const answers = await wire.batch(Array.from({ length: 12 }, (_, n) => get(String(n))));
    expect(new Set(kinds(answers))).toEqual(new Set(["ok"]));
  });
});

/** As a handler does that computes for long: nothing else happens in this process. */
function blockEventLoop(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

describe("an event loop that is blocked here", () => {
  test("is no silence of the server", async () => {
    const wire = open({ server, answerMs: 500 });
    await wire.batch([get("warm")]);
    for (let round = 0; round < 3; round++) {
      const answers = wire.batch([add(String(round), "x"), get(String(round))]);
      blockEventLoop(1_200);
      expect(kinds(await answers)).toEqual(["ok", "ok"]);
    }
  });

  test("is no silence of the server while connecting either", async () => {
    const wire = open({ server, connectMs: 500 });
    const answers = wire.batch([add("a", "x")]);
    await new Promise(setImmediate);
    blockEventLoop(1_200);
    expect(kinds(await answers)).toEqual(["ok"]);
  });

  test("again and again leaves time to hear a server that is slow as well", async () => {
    const wire = open({ answerMs: 1_000 });
    await wire.batch([get("warm")]);
    proxy.now({ kind: "delayAnswers", ms: 600 });
    const blocking = setInterval(() => {
      blockEventLoop(250);
    }, 10);
    try {
      expect(kinds(await wire.batch([add("a", "x")]))).toEqual(["ok"]);
    } finally {
      clearInterval(blocking);
    }
  });
});

describe("a server that is not there", () => {
  test("a refused connection is told at once, with the address", async () => {
    const port = await freePort();
    const wire = open({ server: { host: "127.0.0.1", port } });
    const { ms, starvedMs } = await elapsed(async () => {
      await expect(wire.batch([get("a")])).rejects.toMatchObject({
        code: "BROKER_UNREACHABLE",
        message: `memcached at 127.0.0.1:${String(port)}: nothing listens there (ECONNREFUSED)`,
      });
    });
    expect(ms).toBeLessThan(1_000 + starvedMs);
  });

  test("why it is lost is known until it answers again", async () => {
    const wire = open();
    await wire.batch([get("warm")]);
    expect(wire.loss).toBeUndefined();
    proxy.at(1, { kind: "cutBefore", cut: "reset" });
    expect(kinds(await wire.batch([get("a")]))).toEqual(["unknown"]);
    expect(wire.loss?.message).toMatch(/^memcached at .*: the connection was reset \(ECONNRESET\)$/);
    await wire.batch([get("a")]);
    expect(wire.loss).toBeUndefined();
  });

  test("a name that is none is told", async () => {
    const wire = open({ server: { host: "nobody.invalid", port: 11_211 } });
    await expect(wire.batch([get("a")])).rejects.toMatchObject({
      code: "BROKER_UNREACHABLE",
      message: expect.stringContaining("nobody.invalid:11211") as string,
    });
  });

  test("a port that cannot be one is told", async () => {
    const wire = open({ server: { host: "127.0.0.1", port: 70_000 } });
    await expect(wire.batch([get("a")])).rejects.toMatchObject({ code: "BROKER_UNREACHABLE" });
  });

  test("a connection that nobody accepts is given up within five seconds, with the default limits", async () => {
    const deaf = await startDeafServer();
    closing.push(() => {
      deaf.close();
    });
    const wire = open({ server: deaf });
    const { ms, starvedMs } = await elapsed(async () => {
      await expect(Promise.all([wire.batch([get("a")]), wire.stats("")])).rejects.toMatchObject({
        code: "BROKER_UNREACHABLE",
        message: expect.stringContaining(`127.0.0.1:${String(deaf.port)}`) as string,
      });
    });
    expect(ms).toBeGreaterThan(2_900);
    expect(ms).toBeLessThan(5_000 + starvedMs);
  });

  test("a connection that is closed without a word is told", async () => {
    const wire = open();
    proxy.refuse();
    await expect(wire.batch([get("a")])).rejects.toMatchObject({ code: "BROKER_UNREACHABLE" });
    proxy.accept();
    expect(kinds(await wire.batch([get("a")]))).toEqual(["missing"]);
  });

  test("it is found again when it is back, without its values", async () => {
    const own = await startMemcached();
    closing.push(() => own.stop());
    const wire = open({ server: own });
    await wire.batch([add("a", "x")]);
    await own.stop();
    await expect
      .poll(() => wire.batch([get("a")]).then(kinds, (error: unknown) => (error as { code: string }).code))
      .toBe("BROKER_UNREACHABLE");
    await own.restart();
    expect(kinds(await wire.batch([get("a")]))).toEqual(["missing"]);
  });

  test("a caller that tries again at once does not spin", async () => {
    const hangsUp = await startFakeServer((socket) => socket.end());
    closing.push(() => hangsUp.close());
    const wire = open({ server: hangsUp });
    const end = Date.now() + 1_000;
    while (Date.now() < end) await expect(wire.batch([get("a")])).rejects.toThrow();
    expect(hangsUp.accepted).toBeLessThanOrEqual(12);
    expect(hangsUp.accepted).toBeGreaterThan(5);
  });
});

describe("closing", () => {
  test("what is under way is unknown", async () => {
    const wire = open();
    await wire.batch([get("warm")]);
    proxy.now({ kind: "holdAnswers" });
    const answers = wire.batch([add("a", "x"), get("a")]);
    wire.close();
    expect(kinds(await answers)).toEqual(["unknown", "unknown"]);
  });

  test("what was not sent is an error", async () => {
    const wire = open();
    const answers = wire.batch([add("a", "x")]);
    wire.close();
    await expect(answers).rejects.toMatchObject({ code: "BROKER_UNREACHABLE" });
    expect(await kept("a")).toBeUndefined();
  });

  test("a closed wire refuses further batches, and may be closed again", async () => {
    const wire = open();
    wire.close();
    wire.close();
    await expect(wire.batch([get("a")])).rejects.toMatchObject({ code: "BUG" });
    await expect(wire.stats("")).rejects.toMatchObject({ code: "BUG" });
  });
});
