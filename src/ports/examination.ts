/**
 * What looking something over brings to light: facts, not yet judged. Whoever looks leaves every queue as it
 * is.
 */

/** A server that keeps queues. */
export interface ServerExamination {
  /** `host:port`. */
  readonly server: string;
  readonly stats: ServerStats;
  /** Each operation that a queue needs, tried with an item that is gone again. */
  readonly trial: readonly TrialStep[];
  /** This host's clock before and after it told its time, in ms since 1970. */
  readonly clock: { readonly askedAt: number; readonly answeredAt: number };
  /** What a queue keeps there, by size: all of it must find room. */
  readonly needs: readonly RoomNeed[];
}

/** The server's own words: names and values as it gives them. */
export interface ServerStats {
  readonly general: ReadonlyMap<string, string>;
  readonly settings: ReadonlyMap<string, string>;
  readonly items: ReadonlyMap<string, string>;
  readonly slabs: ReadonlyMap<string, string>;
}

/** One operation of the trial, in words; `fault`: what happened in its place. */
export interface TrialStep {
  readonly step: string;
  readonly fault?: string;
  /** The server has no memory left for it. */
  readonly isFull?: true;
}

export interface RoomNeed {
  readonly what: string;
  /** Of a usual item of the kind, everything included. */
  readonly bytes: number;
}

/** What a server has of a queue, held against what this host saw of it last. */
export type QueueTrace =
  /** It was never used there, as far as this host knows. */
  | { readonly kind: "absent" }
  /** It is there; no run on this host has looked at it yet. */
  | { readonly kind: "unseen" }
  /** It is as this host knows it since `seenAt` (ms since 1970). */
  | { readonly kind: "whole"; readonly seenAt: number }
  /** What this host knew since `seenAt` is gone, whether or not something else was begun in its place. */
  | { readonly kind: "begunAnew"; readonly seenAt: number }
  /** Parts of it vanished; `atLeast`: how many lists of tasks. */
  | { readonly kind: "torn"; readonly seenAt: number; readonly atLeast: number }
  /** What is there was written by a newer version, or by something else. */
  | { readonly kind: "newer" | "broken" };

/** A folder in which this host keeps a store, or what it remembers of servers. */
export interface FolderExamination {
  readonly path: string;
  readonly kind: "folder" | "absent" | "other";
  /** The folder itself, or where it would be made. */
  readonly place: string;
  /** Undefined: this user may write there. Else why not. */
  readonly refusal?: string;
  /** Whose it is, in words; undefined when it is not there. */
  readonly owner?: string;
  /** Names of files in it that only their owner may write, and it is not the owner of the folder. */
  readonly unshared: readonly string[];
  /** Kind of network file system; undefined: it is a local one. */
  readonly network?: string;
  readonly freeBytes: number;
  readonly totalBytes: number;
  /** Whether there is a database in it. */
  readonly hasStore: boolean;
}

/** The SQLite that this process would use. */
export interface SqliteExamination {
  readonly driver: string;
  readonly version: string;
}
