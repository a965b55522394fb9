import { expect, test, vi } from "vitest";
import { BatchExchange } from "../../../../src/adapters/memcached/exchange.ts";
import { OPCODE, type Packet } from "../../../../src/adapters/memcached/packets.ts";
import { unreachable } from "../../../../src/adapters/memcached/strangers.ts";
import type { Answer, Operation } from "../../../../src/adapters/memcached/wire.ts";

const FIRST = 2 ** 32 - 1;
const NONE = Buffer.alloc(0);
const get: Operation = { kind: "get", key: "k" };
const gone: Operation = { kind: "delete", key: "k" };
const casless: Operation = { kind: "add", key: "k", value: "v", casless: true };

/** The answer to the request at a place of the batch. */
const packet = (place: number, opcode: number, status = 0): Packet => ({
  opcode,
  status,
  opaque: (FIRST + place) >>> 0,
  cas: 7n,
  key: NONE,
  value: NONE,
});

function begun(operations: readonly Operation[]): {
  exchange: BatchExchange;
  answered: () => readonly string[];
} {
  const resolve = vi.fn<(answers: readonly Answer[]) => void>();
  const exchange = new BatchExchange(operations, { server: "h:1", resolve, reject: vi.fn() });
  exchange.begin(FIRST);
  return { exchange, answered: () => (resolve.mock.calls[0]?.[0] ?? []).map(({ kind }) => kind) };
}

test("what is passed over in silence was done", () => {
  const { exchange, answered } = begun([casless, gone, get, gone, gone]);
  expect(exchange.take(packet(2, OPCODE.get, 1))).toBe("more");
  expect(exchange.take(packet(4, OPCODE.delete))).toBe("complete");
  expect(answered()).toEqual(["ok", "ok", "missing", "ok", "ok"]);
});

test("what failed among the silent ones has its own answer", () => {
  const { exchange, answered } = begun([casless, gone, gone]);
  expect(exchange.take(packet(0, OPCODE.addQuietly, 2))).toBe("more");
  expect(exchange.take(packet(2, OPCODE.delete, 1))).toBe("complete");
  expect(answered()).toEqual(["exists", "ok", "missing"]);
});

test("an answer that leaves out one that has to come is a stray, and proves nothing", () => {
  const { exchange, answered } = begun([gone, get, gone, get]);
  expect(exchange.take(packet(3, OPCODE.get))).toBe("stray");
  exchange.abandon(unreachable("h:1", "gone"), true);
  expect(answered()).toEqual(["unknown", "unknown", "unknown", "unknown"]);
});

test("an answer to another command than was sent in its place is a stray, and proves nothing", () => {
  const { exchange, answered } = begun([gone, gone, get]);
  expect(exchange.take(packet(1, OPCODE.delete))).toBe("stray");
  exchange.abandon(unreachable("h:1", "gone"), true);
  expect(answered()).toEqual(["unknown", "unknown", "unknown"]);
});

test("a second answer to the same request is a stray", () => {
  const { exchange } = begun([get, get]);
  expect(exchange.take(packet(0, OPCODE.get))).toBe("more");
  expect(exchange.take(packet(0, OPCODE.get))).toBe("stray");
});

test("when the connection ends, what no later answer vouches for is unknown", () => {
  const { exchange, answered } = begun([gone, get, gone, gone]);
  exchange.take(packet(1, OPCODE.get));
  exchange.abandon(unreachable("h:1", "gone"), true);
  expect(answered()).toEqual(["ok", "ok", "unknown", "unknown"]);
});
