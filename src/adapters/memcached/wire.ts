import type { MemqError } from "../../errors.ts";

/**
 * The few operations of memcached that the list needs, and answers that are either true or "unknown".
 * memjs stands behind it today; a client for the meta text protocol can take its place.
 */
export interface Wire {
  /** `host:port`, for messages. */
  readonly server: string;

  /** Why the connection is lost, in words for the user; undefined while there is none to mourn. */
  readonly loss?: MemqError | undefined;

  /**
   * Sends the operations in one round trip; the server does them in this order, and answers stand in the
   * same order. Nothing is ever sent twice. An operation whose answer did not come is "unknown": it may
   * happen, have happened, or still happen later.
   * @throws MemqError when nothing at all was sent: BROKER_UNREACHABLE, NOT_MEMCACHED, BROKER_REFUSED.
   */
  batch(operations: readonly Operation[]): Promise<readonly Answer[]>;

  /** A group of the server's statistics: "" (general), "settings", "items", "slabs". */
  stats(group: "" | "settings" | "items" | "slabs"): Promise<ReadonlyMap<string, string>>;

  /** Closes the connection; what is under way is answered as unknown. */
  close(): void;
}

/** Keys are at most 250 bytes, without blanks or control characters. `ttlSeconds`: default none. */
export type Operation =
  | { readonly kind: "get"; readonly key: string }
  | {
      readonly kind: "add";
      readonly key: string;
      readonly value: Buffer | string;
      readonly ttlSeconds?: number;
      /** Nobody asks for the cas of what was added: it may be answered as 0, and the server has less to say. */
      readonly casless?: true;
    }
  | {
      readonly kind: "replace";
      readonly key: string;
      readonly value: Buffer | string;
      readonly cas: bigint;
      /** Not the time that the item had before. */
      readonly ttlSeconds?: number;
    }
  | { readonly kind: "append"; readonly key: string; readonly value: Buffer | string }
  | { readonly kind: "delete"; readonly key: string; readonly cas?: bigint }
  | { readonly kind: "touch"; readonly key: string; readonly ttlSeconds: number };

export type Answer =
  /** `cas` of the item as it is now (0 after delete, touch and an add that is casless); `value` for get. */
  | { readonly kind: "ok"; readonly cas: bigint; readonly value?: Buffer }
  /**
   * No such item (get, replace, append, delete, touch). memcached answers the same to an append for which
   * there is no memory, or which would make the item too large: a get tells these apart.
   */
  | { readonly kind: "missing" }
  /** add: there is one already; replace, delete: its cas is another. */
  | { readonly kind: "exists" }
  /** No memory for it; an old value is still there. */
  | { readonly kind: "full" }
  | { readonly kind: "tooLarge" }
  | { readonly kind: "unknown" };
