import type { Claim } from "../../ports/broker.ts";
import { sealName } from "../../ports/results.ts";
import type { Keep, Results, TaskEnd } from "../../ports/results.ts";
import type { Codec } from "../../task/codec.ts";
import { decodeResult } from "../../task/result.ts";
import type { Progress, TaskResult } from "../../task/result.ts";
import { stateOf } from "./entry.ts";
import type { MemoryQueue } from "./queue.ts";

/** The results of a queue in memory, for one owner. Nothing waits in between, so every step is atomic. */
export class MemoryResults implements Results {
  readonly #queue: MemoryQueue;
  readonly #codec: Codec;

  constructor(queue: MemoryQueue, codec: Codec) {
    this.#queue = queue;
    this.#codec = codec;
  }

  /** Keeps a result; to be called in the step in which its task ends. */
  keep(id: string, { forMs, text }: Keep): void {
    const nowMs = this.#queue.clock.now();
    this.#queue.results.keep(id, this.#codec.seal(sealName(id), text), nowMs + forMs);
    this.#queue.results.sweep(nowMs);
  }

  find(id: string): Promise<TaskResult | undefined> {
    const end = this.#endOf(id);
    return Promise.resolve(end?.kind === "gone" ? undefined : end);
  }

  async wait(ids: readonly string[], untilMs: number, signal: AbortSignal): Promise<readonly TaskEnd[]> {
    const { clock, results } = this.#queue;
    for (;;) {
      const ends = ids.flatMap((id) => this.#endOf(id) ?? []);
      if (ends.length > 0 || signal.aborted || clock.now() >= untilMs) return ends;
      const over = new AbortController();
      const wake = (): void => {
        over.abort();
      };
      const leave = results.bell.listen(wake);
      signal.addEventListener("abort", wake);
      await clock.until(untilMs, over.signal);
      signal.removeEventListener("abort", wake);
      leave();
    }
  }

  report({ task, attempt, receipt }: Claim, progress: Progress): Promise<void> {
    const hold = this.#queue.shelf.get(task.id)?.hold;
    if (hold?.receipt === receipt && hold.started)
      this.#queue.results.progress.set(task.id, { attempt, progress });
    return Promise.resolve();
  }

  progress(ids: readonly string[]): Promise<ReadonlyMap<string, Progress>> {
    const known = ids.flatMap((id): (readonly [string, Progress])[] => {
      const entry = this.#queue.shelf.get(id);
      const said = this.#queue.results.progress.get(id);
      if (entry === undefined || said === undefined) return [];
      const isRunning = stateOf(entry, this.#queue.clock.now()) === "running";
      return isRunning && entry.hold?.started === true && said.attempt === entry.attempts
        ? [[id, said.progress]]
        : [];
    });
    return Promise.resolve(new Map(known));
  }

  #endOf(id: string): TaskEnd | undefined {
    const entry = this.#queue.shelf.get(id);
    if (entry?.buriedAt !== undefined) {
      const { attempts: attempt, error: reason = "", buriedAt: at } = entry;
      return { kind: "dead", id, reason, attempt, at };
    }
    if (entry !== undefined) return undefined;
    const text = this.#codec.unseal(
      sealName(id),
      this.#queue.results.text(id, this.#queue.clock.now()) ?? "",
    );
    return decodeResult(id, text ?? "") ?? { kind: "gone", id };
  }
}
