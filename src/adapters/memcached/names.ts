import { createHash, randomBytes } from "node:crypto";
import { closeSync, openSync, readSync } from "node:fs";

/** Every name that the list of one queue uses on its server: docs/memcached-layout.md. `epoch`: of the control block. */
export interface Keys {
  readonly control: string;
  /** The heartbeat of an owner. */
  owner(name: string): string;
  note(name: string): string;
  /** How far a bulk is. */
  bulk(name: string): string;
  /** How a task ended, by its id. */
  result(id: string): string;
  /** How far a task is, by its id. */
  progress(id: string): string;
  /** Memory set aside for items of that size. */
  reserve(bytes: number, piece: number): string;
  list(epoch: string, name: string): string;
  record(epoch: string, name: string): string;
  /** The delayed tasks of one minute of the server's time. */
  bucket(epoch: string, minute: number): string;
  /** An item that a bucket names because it is full itself. */
  bucketPart(epoch: string, minute: number, part: string): string;
  /** Which minutes have a bucket. */
  minutes(epoch: string): string;
  /** How many records were delayed to each second. */
  delayedCounts(epoch: string): string;
}

export function keysOf(queue: string): Keys {
  const prefix = `mq:${keyPart(queue, MAX_QUEUE_PART)}:`;
  return {
    control: `${prefix}C`,
    owner: (name) => `${prefix}o${name}`,
    note: (name) => `${prefix}n${keyPart(name, MAX_NOTE_PART)}`,
    bulk: (name) => `${prefix}u${keyPart(name, MAX_NOTE_PART)}`,
    result: (id) => `${prefix}r${id}`,
    progress: (id) => `${prefix}p${id}`,
    reserve: (bytes, piece) => `${prefix}x${String(bytes)}.${String(piece)}`,
    list: (epoch, name) => `${prefix}${epoch}:l${name}`,
    record: (epoch, name) => `${prefix}${epoch}:b${name}`,
    bucket: (epoch, minute) => `${prefix}${epoch}:d${String(minute)}`,
    bucketPart: (epoch, minute, part) => `${prefix}${epoch}:d${String(minute)}.${part}`,
    minutes: (epoch) => `${prefix}${epoch}:m`,
    delayedCounts: (epoch) => `${prefix}${epoch}:n`,
  };
}

// A key may have 250 bytes, and the longest of ours adds some 70 to this.
const MAX_QUEUE_PART = 150;
const MAX_NOTE_PART = 70;

function keyPart(name: string, most: number): string {
  const shown = [...Buffer.from(name)].map(keyByte).join("");
  return shown.length <= most ? shown : `~${createHash("sha256").update(name).digest("hex")}`;
}

const PLAIN = /[0-9A-Za-z._-]/;
function keyByte(byte: number): string {
  const letter = String.fromCharCode(byte);
  return byte < 128 && PLAIN.test(letter) ? letter : `%${byte.toString(16).padStart(2, "0")}`;
}

const LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/** Where names come from that nobody else will ever use. Tests give names that can be repeated. */
export type Random = (letters: number) => string;

/** That many letters and digits; 10 of them are 59 bits. */
export const randomName: Random = (letters) => {
  if (letters > pool.length) pool = entropy(Math.max(letters, POOL_BYTES));
  const taken = pool.subarray(0, letters);
  pool = pool.subarray(letters);
  return Array.from(taken, (byte) => LETTERS[byte % LETTERS.length]).join("");
};

// A run takes a name per claim: to open the system's file for each would cost more than all the rest of it.
const POOL_BYTES = 512;
let pool: Uint8Array = new Uint8Array(0);

/** From the system itself where it has a file of it: to load node:crypto takes a command 2 ms. */
function entropy(bytes: number): Uint8Array {
  try {
    return readEntropy(bytes);
  } catch {
    return randomBytes(bytes); // Windows, or a sandbox without /dev
  }
}

function readEntropy(bytes: number): Uint8Array {
  const buffer = new Uint8Array(bytes);
  const file = openSync("/dev/urandom", "r");
  try {
    if (readSync(file, buffer, 0, bytes, null) !== bytes) throw new Error("/dev/urandom ended");
  } finally {
    closeSync(file);
  }
  return buffer;
}

/** 59 bits for each process that publishes, and a counter: an id of 11 to 14 letters. */
export const ID_PREFIX_LETTERS = 10;

/** The name of a record by its publisher's prefix and its number there. */
export const numberedName = (prefix: string, number: number): string => prefix + number.toString(36);

/** Ids for records, no two alike. Cheap: the random part is made once. */
export class Ids {
  readonly #random: Random;
  #prefix: string | undefined;
  #count = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  next(): string {
    this.#prefix ??= this.#random(ID_PREFIX_LETTERS);
    return numberedName(this.#prefix, this.#count++);
  }
}

/** The name of the record that stands for a key: the same for everybody who publishes with it. */
export const keyedName = (key: string): string =>
  `k${createHash("sha256").update(key).digest("hex").slice(0, 32)}`;

const KEYED = /^k[0-9a-f]{32}$/;
const KEYED_LETTERS = 33;

/** Whether the record of that name stands for a key. */
export const isKeyed = (name: string): boolean => name.length === KEYED_LETTERS && KEYED.test(name);

/** The id of the task in a record: a keyed record is shared by one task after the other, told apart by `nonce`. */
export const taskIdOf = (name: string, nonce: string | undefined): string =>
  nonce !== undefined && isKeyed(name) ? `${name}-${nonce}` : name;

/** The id of a member of a bundle, and the name of the record it gets when it leaves it. */
export const memberId = (name: string, index: number): string => `${name}.${String(index)}`;

/** What the name of a record looks like, as the source of a regular expression. */
export const NAME_PATTERN = "[0-9A-Za-z]{1,40}(?:-[0-9A-Za-z]{1,20})?(?:\\.\\d{1,4})?";

const NAME = new RegExp(`^${NAME_PATTERN}$`);

/** Whether an id, whoever typed it, can be one of ours. */
export const isName = (id: string): boolean => NAME.test(id);

/** The record that a keyed task's id belongs to; undefined for other ids. */
export function keyedNameOf(id: string): string | undefined {
  const name = id.split("-", 1)[0] ?? "";
  return name !== id && isKeyed(name) ? name : undefined;
}

/** The bundle and the place in it that an id names, if it is a member's. */
export function memberOf(id: string): { readonly bundle: string; readonly index: number } | undefined {
  const dot = id.lastIndexOf(".");
  return dot < 0 ? undefined : { bundle: id.slice(0, dot), index: Number(id.slice(dot + 1)) };
}
