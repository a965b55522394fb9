/** The binary protocol as memcached's protocol_binary.h has it: 24 bytes of header, then extras, key, value. */
export const HEADER_BYTES = 24;
const RESPONSE = 0x81;

/** The requests that are sent. Those of the quiet kind are answered only when they were not done. */
export const OPCODE = {
  get: 0x00,
  add: 0x02,
  replace: 0x03,
  delete: 0x04,
  noop: 0x0a,
  append: 0x0e,
  stat: 0x10,
  addQuietly: 0x12,
  deleteQuietly: 0x14,
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

// memcached's -I goes up to 1 GiB: what announces more is not memcached.
const MAX_BODY_BYTES = 2 ** 30 + 1024;

/** How much further than `opaque` the number `later` is; both are 32 bits and wrap. */
export const opaqueDistance = (opaque: number, later: number): number => (later - opaque) >>> 0;

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
    const bytes = this.#pieces.length === 1 ? piece : Buffer.concat(this.#pieces, this.#bytes);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    let at = 0;
    let length = packetBytes(view, at);
    for (; length !== undefined && at + length <= bytes.length; length = packetBytes(view, at)) {
      take(readPacket(bytes, view, at));
      at += length;
    }
    this.#pieces = at === bytes.length ? [] : [bytes.subarray(at)];
    this.#bytes = bytes.length - at;
    this.#wantedBytes = length ?? 0;
    return length !== undefined;
  }
}

const startsPacket = (bytes: Buffer | undefined): boolean =>
  bytes === undefined || bytes.length === 0 || bytes[0] === RESPONSE;

// How many bytes the packet at this place needs, as far as can be seen; undefined when it is none.
function packetBytes(view: DataView, at: number): number | undefined {
  if (at < view.byteLength && view.getUint8(at) !== RESPONSE) return undefined;
  if (at + HEADER_BYTES > view.byteLength) return HEADER_BYTES;
  const body = view.getUint32(at + 8);
  const named = view.getUint16(at + 2) + view.getUint8(at + 4);
  return named > body || body > MAX_BODY_BYTES ? undefined : HEADER_BYTES + body;
}

function readPacket(bytes: Buffer, view: DataView, at: number): Packet {
  const keyAt = at + HEADER_BYTES + view.getUint8(at + 4);
  const valueAt = keyAt + view.getUint16(at + 2);
  const end = at + HEADER_BYTES + view.getUint32(at + 8);
  return {
    opcode: view.getUint8(at + 1),
    status: view.getUint16(at + 6),
    opaque: view.getUint32(at + 12),
    cas: view.getBigUint64(at + 16),
    key: keyAt === valueAt ? NOTHING : bytes.subarray(keyAt, valueAt),
    value: valueAt === end ? NOTHING : bytes.subarray(valueAt, end),
  };
}
