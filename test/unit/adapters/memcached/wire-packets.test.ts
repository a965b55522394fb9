import fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import {
  OPCODE,
  opaqueDistance,
  PacketReader,
  type Packet,
} from "../../../../src/adapters/memcached/packets.ts";
import { encodeOperations, encodePlain } from "../../../../src/adapters/memcached/requests.ts";
import type { Operation } from "../../../../src/adapters/memcached/wire.ts";

interface Parts {
  readonly opaque: number;
  readonly status: number;
  readonly cas: bigint;
  readonly extras: Uint8Array;
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

const packets: fc.Arbitrary<readonly Parts[]> = fc.array(
  fc.record({
    opaque: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
    status: fc.integer({ min: 0, max: 2 ** 16 - 1 }),
    cas: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    extras: fc.uint8Array({ maxLength: 20 }),
    key: fc.uint8Array({ maxLength: 250 }),
    value: fc.uint8Array({ maxLength: 2_000 }),
  }),
  { maxLength: 10 },
);

function packetOf({ opaque, status, cas, extras, key, value }: Parts): Buffer {
  const header = Buffer.alloc(24);
  header[0] = 0x81;
  header.writeUInt16BE(key.length, 2);
  header.writeUInt8(extras.length, 4);
  header.writeUInt16BE(status, 6);
  header.writeUInt32BE(extras.length + key.length + value.length, 8);
  header.writeUInt32BE(opaque, 12);
  header.writeBigUInt64BE(cas, 16);
  return Buffer.concat([header, extras, key, value]);
}

function* cut(bytes: Buffer, lengths: readonly number[]): Generator<Buffer> {
  let at = 0;
  for (let n = 0; at < bytes.length; n++) {
    const length = lengths[n % lengths.length] ?? 1;
    yield bytes.subarray(at, at + length);
    at += length;
  }
}

describe("the reader", () => {
  test("gives every packet whole, wherever the stream is cut", () => {
    fc.assert(
      fc.property(
        packets,
        fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1, maxLength: 5 }),
        (sent, lengths) => {
          const reader = new PacketReader();
          const got: Packet[] = [];
          for (const piece of cut(Buffer.concat(sent.map(packetOf)), lengths)) {
            expect(reader.push(piece, (packet) => got.push(packet))).toBe(true);
          }
          expect(
            got.map(({ opaque, status, cas, key, value }) => ({ opaque, status, cas, key, value })),
          ).toEqual(
            sent.map(({ opaque, status, cas, key, value }) => ({
              opaque,
              status,
              cas,
              key: Buffer.from(key),
              value: Buffer.from(value),
            })),
          );
        },
      ),
      { numRuns: 200 },
    );
  });

  test("copies each byte at most twice, however large a packet is", () => {
    const bytes = packetOf({
      opaque: 1,
      status: 0,
      cas: 0n,
      extras: Buffer.alloc(4),
      key: Buffer.alloc(0),
      value: Buffer.alloc(2_000_000, "x"),
    });
    const stream = Buffer.concat([bytes, bytes, bytes]);
    const concat = vi.spyOn(Buffer, "concat");
    try {
      const reader = new PacketReader();
      let count = 0;
      for (const piece of cut(stream, [65_536, 1_000])) reader.push(piece, () => count++);
      const copied = concat.mock.calls.reduce((sum, [, length]) => sum + (length ?? 0), 0);
      expect(count).toBe(3);
      expect(copied).toBeLessThan(2 * stream.length);
    } finally {
      concat.mockRestore();
    }
  });

  test.each([
    ["text", Buffer.from("ERROR\r\n")],
    ["one byte of text", Buffer.from("E")],
    ["a request", Buffer.concat([Buffer.of(0x80), Buffer.alloc(23)])],
    [
      "a key longer than its packet",
      Buffer.from([0x81, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 4, ...Buffer.alloc(12)]),
    ],
    [
      "a packet larger than memcached has",
      Buffer.from([0x81, 0, 0, 0, 0, 0, 0, 0, 255, 0, 0, 0, ...Buffer.alloc(12)]),
    ],
  ])("refuses %s", (_, bytes) => {
    const got: Packet[] = [];
    expect(new PacketReader().push(bytes, (packet) => got.push(packet))).toBe(false);
    expect(got).toEqual([]);
  });

  test("gives what came before the bytes that are none", () => {
    const good = packetOf({ opaque: 7, status: 0, cas: 0n, extras: NONE, key: NONE, value: NONE });
    const got: number[] = [];
    const reader = new PacketReader();
    expect(reader.push(Buffer.concat([good, Buffer.from("ERROR")]), ({ opaque }) => got.push(opaque))).toBe(
      false,
    );
    expect(got).toEqual([7]);
  });
});

const NONE = Buffer.alloc(0);

function opcodesIn(requests: Buffer): readonly number[] {
  const opcodes: number[] = [];
  for (let at = 0; at < requests.length; at += 24 + requests.readUInt32BE(at + 8)) {
    opcodes.push(requests.readUInt8(at + 1));
  }
  return opcodes;
}

describe("the writer", () => {
  const encode = (operations: readonly Operation[], opaque: number): Buffer =>
    Buffer.concat([...encodeOperations(operations, opaque)]);

  test.each<[string, Operation, string]>([
    ["get", { kind: "get", key: "k" }, "80 00 0001 00 00 0000 00000001 00000005 0000000000000000 6b"],
    [
      "add with a ttl",
      { kind: "add", key: "k", value: "v", ttlSeconds: 9 },
      "80 02 0001 08 00 0000 0000000a 00000005 0000000000000000 00000000 00000009 6b 76",
    ],
    [
      "replace with a cas of 64 bits",
      { kind: "replace", key: "k", value: Buffer.from("v"), cas: 2n ** 63n + 1n },
      "80 03 0001 08 00 0000 0000000a 00000005 8000000000000001 00000000 00000000 6b 76",
    ],
    [
      "append",
      { kind: "append", key: "k", value: "v" },
      "80 0e 0001 00 00 0000 00000002 00000005 0000000000000000 6b 76",
    ],
    [
      "delete with a cas",
      { kind: "delete", key: "k", cas: 3n },
      "80 04 0001 00 00 0000 00000001 00000005 0000000000000003 6b",
    ],
    [
      "touch",
      { kind: "touch", key: "k", ttlSeconds: 256 },
      "80 1c 0001 04 00 0000 00000005 00000005 0000000000000000 00000100 6b",
    ],
  ])("%s as the protocol has it", (_, operation, hex) => {
    expect(encode([operation], 5).toString("hex")).toBe(hex.replaceAll(" ", ""));
  });

  test("of several, deletes and casless adds ask for an answer only when they fail, but for the last one", () => {
    const opcodes = (operations: readonly Operation[]): readonly number[] =>
      operations.length === 0
        ? []
        : [...encodeOperations(operations, 1)].flatMap((piece) => opcodesIn(piece));
    const gone: Operation = { kind: "delete", key: "k", cas: 3n };
    const added: Operation = { kind: "add", key: "k", value: "v" };
    const casless: Operation = { ...added, casless: true };
    expect(opcodes([gone])).toEqual([0x04]);
    expect(opcodes([gone, gone])).toEqual([0x14, 0x04]);
    expect(opcodes([casless, gone, added, casless])).toEqual([0x12, 0x14, 0x02, 0x02]);
  });

  test("a request without more has its key alone", () => {
    expect(encodePlain(OPCODE.stat, "slabs", 2).toString("latin1", 24)).toBe("slabs");
  });

  test("numbers go on over the end of 32 bits", () => {
    const operations = Array.from({ length: 4 }, (): Operation => ({ kind: "get", key: "k" }));
    const bytes = encode(operations, 2 ** 32 - 2);
    const numbers = [0, 1, 2, 3].map((n) => bytes.readUInt32BE(n * 25 + 12));
    expect(numbers).toEqual([2 ** 32 - 2, 2 ** 32 - 1, 0, 1]);
    expect(opaqueDistance(2 ** 32 - 2, 1)).toBe(3);
  });

  test("keys and values are sent as UTF-8, whole, wherever a piece ends", () => {
    const text = fc.string({ unit: "binary", maxLength: 60 });
    fc.assert(
      fc.property(
        fc.array(fc.record({ key: text, value: text, times: fc.integer({ min: 1, max: 500 }) })),
        (adds) => {
          const operations = adds.map(({ key, value, times }): Operation => ({
            kind: "add",
            key,
            value: value.repeat(times),
          }));
          const whole = operations.flatMap((operation) => {
            const { key, value } = operation as { key: string; value: string };
            const header = Buffer.alloc(32);
            header.set([0x80, OPCODE.add]);
            header.writeUInt16BE(Buffer.byteLength(key), 2);
            header[4] = 8;
            header.writeUInt32BE(8 + Buffer.byteLength(key) + Buffer.byteLength(value), 8);
            header[15] = 1;
            return [header, Buffer.from(key), Buffer.from(value)];
          });
          const sent = operations.length === 0 ? [] : [...encodeOperations(operations, 1)];
          const got = Buffer.concat(sent);
          for (let at = 0; at < got.length; at += 24 + got.readUInt32BE(at + 8))
            got.writeUInt32BE(1, at + 12);
          expect(got.equals(Buffer.concat(whole))).toBe(true);
        },
      ),
      { numRuns: 50 },
    );
  });

  test("a large batch comes in pieces that are each soon sent", () => {
    const value = Buffer.alloc(100_000);
    const operations = Array.from({ length: 50 }, (_, n): Operation => ({
      kind: "add",
      key: String(n),
      value,
    }));
    const pieces = [...encodeOperations(operations, 1)];
    expect(Math.max(...pieces.map((piece) => piece.length))).toBeLessThan(400_000);
    expect(pieces.length).toBeGreaterThan(10);
    const whole = operations.map((operation, n) => encode([operation], 1 + n));
    expect(Buffer.concat(pieces).equals(Buffer.concat(whole))).toBe(true);
  });
});
