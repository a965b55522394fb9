import { MemqError } from "../../errors.ts";
import type { Connection } from "./connection.ts";

// Below 1 MB nobody minds.
const WORTH_PAGES = 256;
// Pages that still hold something may have to be moved: each at most once per four that are freed.
const FREE_PER_LIVE = 4;
// About 8 ms: what a settle may take longer.
const SLICE_PAGES = 512;
// Looking costs little, though not nothing.
const SETTLES_PER_LOOK = 32;
// A command lets nobody wait longer than this for it.
const MAX_AT_ONCE_MS = 2_000;

/** Gives the disk back what a drained queue took, a slice at a time. */
export class Shrinker {
  readonly #connection: Connection;
  #settles = 0;
  #shrunk = false;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  async afterSettle(): Promise<void> {
    if (++this.#settles % SETTLES_PER_LOOK === 0) await this.slice();
  }

  /** Cuts a slice off where it is worth it; answers whether it did. */
  async slice(): Promise<boolean> {
    try {
      const cut = await this.#connection.write("relaxed", () => {
        if (!this.#isWorthIt()) return false;
        this.#connection.all(`PRAGMA incremental_vacuum(${String(SLICE_PAGES)})`);
        return true;
      });
      this.#shrunk ||= cut;
      return cut;
    } catch (error) {
      if (error instanceof MemqError && (error.code === "BUSY" || error.code === "STORE_FULL")) return false;
      throw error;
    }
  }

  /** Cuts off all there is to cut, or as much as time allows. */
  async afterPurge(): Promise<void> {
    const startedAtMs = performance.now();
    while (performance.now() - startedAtMs < MAX_AT_ONCE_MS && (await this.slice())) continue;
  }

  async beforeClose(): Promise<void> {
    if (this.#settles === 0 && !this.#shrunk) return;
    await this.afterPurge();
    // The last one to close does this anyway; with others around the file would stay long for a while.
    if (this.#shrunk) await this.#connection.execute("PRAGMA wal_checkpoint(TRUNCATE)");
  }

  #isWorthIt(): boolean {
    const { freelist_count: free } = this.#connection.get("PRAGMA freelist_count") as {
      freelist_count: number;
    };
    if (free < WORTH_PAGES) return false;
    const { page_count: pages } = this.#connection.get("PRAGMA page_count") as { page_count: number };
    return (pages - free) * FREE_PER_LIVE <= free;
  }
}
