import { MemqError } from "../../errors.ts";
import type { Operation } from "./wire.ts";

// The binary protocol as memcached's protocol_binary.h has it: 24 bytes of header, then extras, key, value.
const HEADER_BYTES = 24;
const REQUEST = 0x80;
const RESPONSE = 0x81;

/** The requests that are sent. None is of the quiet kind: every operation is answered, with its cas. */
export const OPCODE = {
  get: 0x00,
  add: 0x02,
  replace: 0x03,
  delete: 0x04,
  noop: 0x0a,
  append: 0x0e,
  stat: 0x10,
  touch: 0x1c,
  saslList: 0x20,
  saslAuth: 0x21,
} as const;

/** What answers say of a request, by number. */
export const STATUS = {
  ok: 0x00,
  missing: 0x01,
  exists: 0x02,
  tooLarge: 0x03,
  invalid: 0x04,
  notStored: 0x05,
  authError: 0x20,
  authContinue: 0x21,
  unknownCommand: 0x81,
  outOfMemory: 0x82,
  unsupported: 0x83,
} as const;

const MAX_KEY_BYTES = 250; // memcached's KEY_MAX_LENGTH
const UNPRINTABLE_OR_BLANK = /[\0-\x20\x7f]/; // the text protocol could never name such a key
const MAX_TTL_SECONDS = 30 * 86_400; // memcached takes a larger number for a date

// One write of this size gets through any usable network within the time that an answer may take, so
// that a stalled server is told from a large batch. It also bounds the memory that a batch takes twice.
const CHUNK_BYTES = 256 * 1024;

// memcached's -I goes up to 1 GiB: what announces more is not memcached.
const MAX_BODY_BYTES = 2 ** 30 + 1024;

/** How much further than `opaque` the number `later` is; both are 32 bits and wrap. */
export const opaqueDistance = (opaque: number, later: number): number => (later - opaque) >>> 0;

/** Refuses what memcached would refuse or, worse, take differently. @throws MemqError BUG */
export function assertSendable(operation: Operation): void {
  const { key } = operation;
  if (key === "" || UNPRINTABLE_OR_BLANK.test(key)) {
    throw new MemqError(
      "BUG",
      `${JSON.stringify(key)} cannot be a key: empty, or with blanks or control characters`,
    );
  }
  if (key.length * 3 > MAX_KEY_BYTES && Buffer.byteLength(key) > MAX_KEY_BYTES) {
    throw new MemqError(
      "BUG",
      `the key ${JSON.stringify(key)} has ${String(Buffer.byteLength(key))} bytes, memcached takes ${String(MAX_KEY_BYTES)}`,
    );
  }
  // A cas of 0 means "whatever it is now" on the wire.
  if ("cas" in operation && operation.cas === 0n) {
    throw new MemqError(
      "BUG",
      `${operation.kind} of ${key} with cas 0 would be unconditional (memcached -C keeps no cas)`,
    );
  }
  if ("ttlSeconds" in operation) assertTtl(operation.ttlSeconds, key);
}

function assertTtl(ttlSeconds: number | undefined, key: string): void {
  if (ttlSeconds === undefined) return;
  if (Number.isInteger(ttlSeconds) && ttlSeconds >= 0 && ttlSeconds <= MAX_TTL_SECONDS) return;
  throw new MemqError(
    "BUG",
    `a ttl of ${String(ttlSeconds)} s for ${key} is not a whole number up to 30 days`,
  );
}

/** The requests of `operations`, numbered from `opaque`, in pieces fit for one write each. */
export function* encodeOperations(operations: readonly Operation[], opaque: number): Generator<Buffer> {
  let number = opaque;
  for (let from = 0; from < operations.length;) {
    const piece = nextPiece(operations, from);
    const writer = new RequestWriter(piece.bytes);
    for (const operation of operations.slice(from, piece.end)) {
      writer.write(operation, number);
      number = (number + 1) >>> 0;
    }
    from = piece.end;
    yield writer.bytes;
  }
}

/** A request that is nothing but an opcode, a key and its number: noop, stat. */
export function encodePlain(opcode: number, key: string, opaque: number): Buffer {
  const keyBytes = Buffer.byteLength(key);
  const writer = new RequestWriter(HEADER_BYTES + keyBytes);
  writer.header({ opcode, opaque, cas: 0n, keyBytes, extrasBytes: 0, valueBytes: 0 });
  writer.text(key, keyBytes);
  return writer.bytes;
}

function nextPiece(operations: readonly Operation[], from: number): { bytes: number; end: number } {
  let bytes = 0;
  let end = from;
  for (const operation of operations.slice(from)) {
    if (end > from && bytes >= CHUNK_BYTES) break;
    bytes +=
      HEADER_BYTES +
      EXTRAS_BYTES[operation.kind] +
      Buffer.byteLength(operation.key) +
      valueBytesOf(operation);
    end++;
  }
  return { bytes, end };
}

// Flags and expiry, or expiry alone.
const EXTRAS_BYTES = { get: 0, add: 8, replace: 8, append: 0, delete: 0, touch: 4 } as const;

const valueBytesOf = (operation: Operation): number =>
  "value" in operation ? Buffer.byteLength(operation.value) : 0;

interface Head {
  readonly opcode: number;
  readonly opaque: number;
  readonly cas: bigint;
  readonly keyBytes: number;
  readonly extrasBytes: number;
  readonly valueBytes: number;
}

class RequestWriter {
  readonly bytes: Buffer;
  #at = 0;

  constructor(bytes: number) {
    this.bytes = Buffer.allocUnsafe(bytes);
  }

  write(operation: Operation, opaque: number): void {
    const extrasBytes = EXTRAS_BYTES[operation.kind];
    const keyBytes = Buffer.byteLength(operation.key);
    const valueBytes = valueBytesOf(operation);
    const cas = "cas" in operation ? (operation.cas ?? 0n) : 0n;
    this.header({ opcode: OPCODE[operation.kind], opaque, cas, keyBytes, extrasBytes, valueBytes });
    if (extrasBytes === 8) this.#number(0); // flags
    if (extrasBytes > 0) this.#number("ttlSeconds" in operation ? (operation.ttlSeconds ?? 0) : 0);
    this.text(operation.key, keyBytes);
    if ("value" in operation) this.text(operation.value, valueBytes);
  }

  header(head: Head): void {
    const { bytes } = this;
    const at = this.#at;
    bytes[at] = REQUEST;
    bytes[at + 1] = head.opcode;
    bytes.writeUInt16BE(head.keyBytes, at + 2);
    bytes.writeUInt32BE(head.extrasBytes << 24, at + 4); // data type and vbucket are 0
    bytes.writeUInt32BE(head.extrasBytes + head.keyBytes + head.valueBytes, at + 8);
    bytes.writeUInt32BE(head.opaque, at + 12);
    if (head.cas === 0n) bytes.fill(0, at + 16, at + HEADER_BYTES);
    else bytes.writeBigUInt64BE(head.cas, at + 16);
    this.#at = at + HEADER_BYTES;
  }

  text(text: string | Buffer, bytes: number): void {
    if (typeof text === "string") this.bytes.write(text, this.#at);
    else text.copy(this.bytes, this.#at);
    this.#at += bytes;
  }

  #number(value: number): void {
    this.#at = this.bytes.writeUInt32BE(value, this.#at);
  }
}

/** One answer of the server. `key` and `value` share memory with what the socket delivered. */
export interface Packet {
  readonly opcode: number;
  readonly status: number;
  readonly opaque: number;
  readonly cas: bigint;
  readonly key: Buffer;
  /** Of a failed request: the server's own words. */
  readonly value: Buffer;
}

const NOTHING = Buffer.alloc(0);

/** Cuts the server's bytes into packets, copying each byte at most twice, however the pieces fall. */
export class PacketReader {
  #pieces: Buffer[] = [];
  #bytes = 0;
  #wantedBytes = HEADER_BYTES;

  /**
   * Hands each packet that `piece` completes to `take`.
   * Answers false, for good, when the bytes are not of this protocol.
   */
  push(piece: Buffer, take: (packet: Packet) => void): boolean {
    this.#pieces.push(piece);
    this.#bytes += piece.length;
    if (this.#bytes < this.#wantedBytes) return startsPacket(this.#pieces[0]);
    let rest = this.#pieces.length === 1 ? piece : Buffer.concat(this.#pieces, this.#bytes);
    let length = packetBytes(rest);
    for (; length !== undefined && length <= rest.length; length = packetBytes(rest)) {
      take(readPacket(rest, length));
      rest = rest.subarray(length);
    }
    this.#pieces = rest.length === 0 ? [] : [rest];
    this.#bytes = rest.length;
    this.#wantedBytes = length ?? 0;
    return length !== undefined;
  }
}

const startsPacket = (bytes: Buffer | undefined): boolean =>
  bytes === undefined || bytes.length === 0 || bytes[0] === RESPONSE;

// How many bytes the first packet needs, as far as can be seen; undefined when it is none.
function packetBytes(bytes: Buffer): number | undefined {
  if (!startsPacket(bytes)) return undefined;
  if (bytes.length < HEADER_BYTES) return HEADER_BYTES;
  const body = bytes.readUInt32BE(8);
  const named = bytes.readUInt16BE(2) + bytes.readUInt8(4);
  return named > body || body > MAX_BODY_BYTES ? undefined : HEADER_BYTES + body;
}

function readPacket(bytes: Buffer, length: number): Packet {
  const keyAt = HEADER_BYTES + bytes.readUInt8(4);
  const valueAt = keyAt + bytes.readUInt16BE(2);
  return {
    opcode: bytes.readUInt8(1),
    status: bytes.readUInt16BE(6),
    opaque: bytes.readUInt32BE(12),
    cas: bytes.readBigUInt64BE(16),
    key: keyAt === valueAt ? NOTHING : bytes.subarray(keyAt, valueAt),
    value: valueAt === length ? NOTHING : bytes.subarray(valueAt, length),
  };
}
