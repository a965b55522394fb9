import type { Notes } from "../../ports/notes.ts";
import { PACE_NOTE, paceOf } from "../../ports/pace.ts";
import { MOST_BUNDLED } from "./bundles.ts";

// What one record may hold up: other runs can only take it whole.
const RECORD_MS = 50;
// All that bundling gains is gained by then.
const MOST_AUTO = 64;
// Tasks change their pace slowly, and a bulk is published in a hurry.
const FRESH_MS = 10_000;

/** How many tasks of a bulk share a record: as configured, or by the pace of the queue; one while it is not known. */
export class BundleSize {
  readonly #wish: "auto" | number;
  readonly #notes: Notes;
  readonly #elapsedMs: () => number;
  #known: { readonly size: number; readonly atMs: number } | undefined;

  constructor(wish: "auto" | number, notes: Notes, elapsedMs: () => number) {
    this.#wish = wish;
    this.#notes = notes;
    this.#elapsedMs = elapsedMs;
  }

  async now(): Promise<number> {
    if (this.#wish !== "auto") return Math.max(1, Math.min(this.#wish, MOST_BUNDLED));
    const atMs = this.#elapsedMs();
    if (this.#known === undefined || atMs - this.#known.atMs >= FRESH_MS) {
      const note = await this.#notes.read(PACE_NOTE);
      this.#known = { size: sizeFor(paceOf(note?.value)), atMs };
    }
    return this.#known.size;
  }
}

/** `meanMs`: of a task; undefined: not known. */
export const sizeFor = (meanMs: number | undefined): number =>
  meanMs === undefined
    ? 1
    : Math.max(1, Math.min(MOST_AUTO, Math.floor(RECORD_MS / Math.max(meanMs, 0.001))));
