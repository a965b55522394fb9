import { MemqError } from "../../errors.ts";
import { HEADER_BYTES, OPCODE } from "./packets.ts";
import type { Operation } from "./wire.ts";

const REQUEST = 0x80;

const MAX_KEY_BYTES = 250; // memcached's KEY_MAX_LENGTH
const UNPRINTABLE_OR_BLANK = /[\0-\x20\x7f]/; // the text protocol could never name such a key
const MAX_TTL_SECONDS = 30 * 86_400; // memcached takes a larger number for a date

// One write of this size gets through any usable network within the time that an answer may take, so
// that a stalled server is told from a large batch. It also bounds the memory that a batch takes twice.
const CHUNK_BYTES = 256 * 1024;

// Of one UTF-16 unit in UTF-8.
const MOST_BYTES_PER_UNIT = 3;

/** Refuses what memcached would refuse or, worse, take differently. @throws MemqError BUG */
export function assertSendable(operation: Operation): void {
  if (!isPlainKey(operation.key)) assertKey(operation.key);
  // A cas of 0 means "whatever it is now" on the wire.
  if ("cas" in operation && operation.cas === 0n) {
    throw new MemqError(
      "BUG",
      `${operation.kind} of ${operation.key} with cas 0 would be unconditional (memcached -C keeps no cas)`,
    );
  }
  if ("ttlSeconds" in operation) assertTtl(operation.ttlSeconds, operation.key);
}

/** Printable ASCII and short enough, as nearly all are: asked for every operation, so without a regular expression. */
function isPlainKey(key: string): boolean {
  for (let at = 0; at < key.length; at++) {
    const unit = key.charCodeAt(at);
    if (unit <= 0x20 || unit >= 0x7f) return false;
  }
  return key.length > 0 && key.length <= MAX_KEY_BYTES;
}

function assertKey(key: string): void {
  if (key === "" || UNPRINTABLE_OR_BLANK.test(key)) {
    throw new MemqError(
      "BUG",
      `${JSON.stringify(key)} cannot be a key: empty, or with blanks or control characters`,
    );
  }
  const bytes = Buffer.byteLength(key);
  if (bytes <= MAX_KEY_BYTES) return;
  throw new MemqError(
    "BUG",
    `the key ${JSON.stringify(key)} has ${String(bytes)} bytes, memcached takes ${String(MAX_KEY_BYTES)}`,
  );
}

function assertTtl(ttlSeconds: number | undefined, key: string): void {
  if (ttlSeconds === undefined) return;
  if (Number.isInteger(ttlSeconds) && ttlSeconds >= 0 && ttlSeconds <= MAX_TTL_SECONDS) return;
  throw new MemqError(
    "BUG",
    `a ttl of ${String(ttlSeconds)} s for ${key} is not a whole number up to 30 days`,
  );
}

/**
 * Whether the operation is sent such that only its failure is answered. The last of a batch never is: its answer says
 * that the others are done.
 */
export const isQuiet = (operation: Operation, isLast: boolean): boolean =>
  !isLast && (operation.kind === "delete" || (operation.kind === "add" && operation.casless === true));

/** What an operation is called on the wire; `isLast` of its batch. */
export function opcodeOf(operation: Operation, isLast: boolean): number {
  const { kind } = operation;
  if (!isQuiet(operation, isLast)) return OPCODE[kind];
  return kind === "add" ? OPCODE.addQuietly : OPCODE.deleteQuietly;
}

/** The requests of `operations`, numbered from `opaque`, in pieces fit for one write each. */
export function* encodeOperations(operations: readonly Operation[], opaque: number): Generator<Buffer> {
  let number = opaque;
  for (let from = 0; from < operations.length;) {
    const writer = new RequestWriter(roomFor(operations, from));
    for (; from < operations.length; from++) {
      const operation = operations[from] as Operation;
      const opcode = opcodeOf(operation, from === operations.length - 1);
      if (!writer.write(operation, { opcode, opaque: number })) break;
      number = (number + 1) >>> 0;
    }
    yield writer.bytes;
  }
}

/** A request that is nothing but an opcode, a key and its number: noop, stat. */
export function encodePlain(opcode: number, key: string, opaque: number): Buffer {
  const bytes = Buffer.alloc(HEADER_BYTES + Buffer.byteLength(key));
  bytes[0] = REQUEST;
  bytes[1] = opcode;
  bytes.writeUInt16BE(bytes.length - HEADER_BYTES, 2);
  bytes.writeUInt32BE(bytes.length - HEADER_BYTES, 8);
  bytes.writeUInt32BE(opaque, 12);
  bytes.write(key, HEADER_BYTES);
  return bytes;
}

/** Bytes for the next piece: exact where all is ASCII, and enough for its first operation in any case. */
function roomFor(operations: readonly Operation[], from: number): number {
  let bytes = 0;
  for (let at = from; at < operations.length && bytes < CHUNK_BYTES; at++) {
    const operation = operations[at] as Operation;
    bytes += at === from ? bytesOf(operation) : fixedBytes(operation) + lengthOf(operation);
  }
  return bytes;
}

// Flags and expiry, or expiry alone.
const EXTRAS_BYTES = { get: 0, add: 8, replace: 8, append: 0, delete: 0, touch: 4 } as const;

const fixedBytes = ({ kind }: Operation): number => HEADER_BYTES + EXTRAS_BYTES[kind];

/** Of key and value, as they are held. */
const lengthOf = (operation: Operation): number =>
  operation.key.length + ("value" in operation ? operation.value.length : 0);

const bytesOf = (operation: Operation): number =>
  fixedBytes(operation) +
  Buffer.byteLength(operation.key) +
  ("value" in operation ? Buffer.byteLength(operation.value) : 0);

interface Head {
  readonly opcode: number;
  readonly opaque: number;
}

/** Writes requests one behind the other: once per task and operation, so without anything that can be spared. */
class RequestWriter {
  readonly #bytes: Buffer;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: number) {
    this.#bytes = Buffer.allocUnsafe(bytes);
    this.#view = new DataView(this.#bytes.buffer, this.#bytes.byteOffset, bytes);
  }

  /** What was written. */
  get bytes(): Buffer {
    return this.#bytes.subarray(0, this.#at);
  }

  /** False: there is no room for it. */
  write(operation: Operation, { opcode, opaque }: Head): boolean {
    if (!this.#hasRoomFor(operation)) return false;
    const began = this.#at;
    const extrasBytes = EXTRAS_BYTES[operation.kind];
    this.#at += HEADER_BYTES;
    if (extrasBytes === 8) this.#number(0); // flags
    if (extrasBytes > 0) this.#number("ttlSeconds" in operation ? (operation.ttlSeconds ?? 0) : 0);
    const keyAt = this.#at;
    this.#key(operation.key);
    const keyBytes = this.#at - keyAt;
    if ("value" in operation) this.#value(operation.value);
    this.#header(began, { operation, opcode, opaque, keyBytes });
    return true;
  }

  /** To count its bytes takes longer than to compare: only near the end of a piece it is done. */
  #hasRoomFor(operation: Operation): boolean {
    const room = this.#bytes.length - this.#at;
    const most = fixedBytes(operation) + MOST_BYTES_PER_UNIT * lengthOf(operation);
    return most <= room || bytesOf(operation) <= room;
  }

  #header(
    at: number,
    {
      operation,
      opcode,
      opaque,
      keyBytes,
    }: Head & { readonly operation: Operation; readonly keyBytes: number },
  ): void {
    const view = this.#view;
    view.setUint8(at, REQUEST);
    view.setUint8(at + 1, opcode);
    view.setUint16(at + 2, keyBytes);
    view.setUint32(at + 4, EXTRAS_BYTES[operation.kind] << 24); // data type and vbucket are 0
    view.setUint32(at + 8, this.#at - at - HEADER_BYTES);
    view.setUint32(at + 12, opaque);
    view.setBigUint64(at + 16, "cas" in operation ? (operation.cas ?? 0n) : 0n);
  }

  #key(key: string): void {
    const bytes = this.#bytes;
    const at = this.#at;
    for (let nth = 0; nth < key.length; nth++) {
      const unit = key.charCodeAt(nth);
      if (unit >= 0x80) {
        this.#at += bytes.write(key, at);
        return;
      }
      bytes[at + nth] = unit;
    }
    this.#at += key.length;
  }

  #value(value: string | Buffer): void {
    if (typeof value === "string") this.#at += this.#bytes.write(value, this.#at);
    else this.#at += value.copy(this.#bytes, this.#at);
  }

  #number(value: number): void {
    this.#view.setUint32(this.#at, value);
    this.#at += 4;
  }
}
