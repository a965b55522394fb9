import type { Answer, Operation, Wire } from "../../src/adapters/memcached/wire.ts";

/** An item as memcached keeps it. */
export interface FakeItem {
  readonly value: Buffer;
  readonly cas: bigint;
  /** In ms; Infinity = never. */
  readonly expiresAt: number;
}

/** What memcached does, in this process: the same answers, at once, and whatever harm a test wants to do to it. */
export class FakeMemcached {
  readonly #now: () => number;
  readonly items = new Map<string, FakeItem>();
  /** Bytes of all values beyond which nothing can be stored. */
  limitBytes = Infinity;
  /** Bytes of a value that are too many for an item. */
  itemBytes = 1_048_576;
  #cas = 0n;
  #startedAt: number;
  #flushes = 0;

  /** @param now ms since 1970, as the server sees it */
  constructor(now: () => number) {
    this.#now = now;
    this.#startedAt = now();
  }

  /** Does one operation. */
  do(operation: Operation): Answer {
    const item = this.#live(operation.key);
    switch (operation.kind) {
      case "get":
        return item === undefined ? { kind: "missing" } : { kind: "ok", cas: item.cas, value: item.value };
      case "add":
        if (item !== undefined) return { kind: "exists" };
        return this.#put(
          operation.key,
          Buffer.from(operation.value),
          expiry(this.#now(), operation.ttlSeconds),
        );
      case "replace":
        if (item === undefined) return { kind: "missing" };
        if (item.cas !== operation.cas) return { kind: "exists" };
        return this.#put(
          operation.key,
          Buffer.from(operation.value),
          expiry(this.#now(), operation.ttlSeconds),
        );
      case "append": {
        if (item === undefined) return { kind: "missing" };
        const value = Buffer.concat([item.value, Buffer.from(operation.value)]);
        const answer = this.#put(operation.key, value, item.expiresAt);
        return answer.kind === "full" ? { kind: "missing" } : answer; // memcached does not tell the two apart
      }
      case "delete":
        if (item === undefined) return { kind: "missing" };
        if (operation.cas !== undefined && item.cas !== operation.cas) return { kind: "exists" };
        this.items.delete(operation.key);
        return { kind: "ok", cas: 0n };
      case "touch":
        if (item === undefined) return { kind: "missing" };
        this.items.set(operation.key, { ...item, expiresAt: expiry(this.#now(), operation.ttlSeconds) });
        return { kind: "ok", cas: 0n };
    }
  }

  stats(): ReadonlyMap<string, string> {
    return new Map([
      ["time", String(Math.floor(this.#now() / 1_000))],
      ["uptime", String(Math.floor((this.#now() - this.#startedAt) / 1_000))],
      ["cmd_flush", String(this.#flushes)],
    ]);
  }

  flush(): void {
    this.items.clear();
    this.#flushes += 1;
  }

  restart(): void {
    this.items.clear();
    this.#startedAt = this.#now();
    this.#flushes = 0;
  }

  evict(key: string): void {
    this.items.delete(key);
  }

  /** The value of an item as text. */
  text(key: string): string | undefined {
    return this.#live(key)?.value.toString("utf8");
  }

  /** A connection on which nothing goes wrong. */
  wire(): Wire {
    return {
      server: "fake:11211",
      batch: async (operations) => {
        await Promise.resolve();
        return operations.map((operation) => this.do(operation));
      },
      stats: () => Promise.resolve(this.stats()),
      close: () => undefined,
    };
  }

  get bytes(): number {
    let bytes = 0;
    for (const { value } of this.items.values()) bytes += value.length;
    return bytes;
  }

  #live(key: string): FakeItem | undefined {
    const item = this.items.get(key);
    if (item === undefined || item.expiresAt > this.#now()) return item;
    this.items.delete(key);
    return undefined;
  }

  #put(key: string, value: Buffer, expiresAt: number): Answer {
    if (value.length > this.itemBytes) return { kind: "tooLarge" };
    if (this.limitBytes !== Infinity && this.bytes + value.length > this.limitBytes) return { kind: "full" };
    const cas = ++this.#cas;
    this.items.set(key, { value, cas, expiresAt });
    return { kind: "ok", cas };
  }
}

const expiry = (now: number, ttlSeconds: number | undefined): number =>
  ttlSeconds === undefined ? Infinity : now + ttlSeconds * 1_000;
