import type { Progress } from "../../task/result.ts";
import { Bell } from "./bell.ts";

interface KeptResult {
  readonly text: string;
  readonly expiresAt: number;
}

/** What is kept of the tasks of a queue in memory that have ended, and what those that run have said. */
export class ResultShelf {
  /** Rings when a task has ended, or was taken away. */
  readonly bell = new Bell();
  /** By task; of the attempt that said it. */
  readonly progress = new Map<string, { readonly attempt: number; readonly progress: Progress }>();
  readonly #results = new Map<string, KeptResult>();

  keep(id: string, text: string, expiresAt: number): void {
    this.#results.set(id, { text, expiresAt });
  }

  text(id: string, now: number): string | undefined {
    const kept = this.#results.get(id);
    return kept !== undefined && kept.expiresAt > now ? kept.text : undefined;
  }

  sweep(now: number): void {
    for (const [id, { expiresAt }] of this.#results) if (expiresAt <= now) this.#results.delete(id);
  }

  /** The task has ended, or was taken away. */
  ended(id: string): void {
    this.progress.delete(id);
    this.bell.ring();
  }
}
