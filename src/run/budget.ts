import { readFileSync } from "node:fs";

/** What may end a run before its queue is empty. Absent = no limit. */
export interface Limits {
  readonly maxTimeMs?: number;
  readonly maxTasks?: number;
  readonly maxMemoryBytes?: number;
}

/** Which limit ended a run. */
export type LimitReached = "max-time" | "max-tasks" | "max-memory" | "stopped";

// A run that is near its end of memory still has to finish what it runs.
const CGROUP_SHARE = 0.8;
// rss costs a system call; a run of fast tasks asks often.
const MEMORY_CHECK_MS = 250;

/** Decides when a run stops starting tasks; all its queues share one. */
export class Budget {
  readonly #limits: Limits;
  readonly #startedAtMs: number;
  readonly #now: () => number;
  #started = 0;
  #spentMs = 0;
  #ended = 0;
  #memoryCheckedAtMs = 0;
  #reached: LimitReached | undefined;

  constructor(limits: Limits, now: () => number) {
    this.#limits = limits;
    this.#now = now;
    this.#startedAtMs = now();
  }

  /** The limit that was reached; undefined while tasks may be started. */
  get reached(): LimitReached | undefined {
    this.#reached ??= this.#check();
    return this.#reached;
  }

  /** No more tasks, whatever the limits say: the run was told to end. */
  stop(): void {
    this.#reached = "stopped";
  }

  /** At most how many more tasks may be started. */
  get tasksLeft(): number {
    return Math.max(0, (this.#limits.maxTasks ?? Number.POSITIVE_INFINITY) - this.#started);
  }

  taskStarted(): void {
    this.#started++;
  }

  taskEnded(ms: number): void {
    this.#ended++;
    this.#spentMs += ms;
  }

  #check(): LimitReached | undefined {
    if (this.tasksLeft === 0) return "max-tasks";
    if (this.#overTime()) return "max-time";
    if (this.#overMemory()) return "max-memory";
    return undefined;
  }

  /** A task that would not fit the time left, by the mean of this run, is not started. */
  #overTime(): boolean {
    const { maxTimeMs } = this.#limits;
    if (maxTimeMs === undefined) return false;
    const meanMs = this.#ended === 0 ? 0 : this.#spentMs / this.#ended;
    return this.#now() - this.#startedAtMs + meanMs > maxTimeMs;
  }

  #overMemory(): boolean {
    const { maxMemoryBytes } = this.#limits;
    if (maxMemoryBytes === undefined || this.#now() - this.#memoryCheckedAtMs < MEMORY_CHECK_MS) return false;
    this.#memoryCheckedAtMs = this.#now();
    return process.memoryUsage.rss() > maxMemoryBytes;
  }
}

/** 80 % of the memory that the cgroup allows, in bytes; undefined where there is no such limit. */
export function cgroupMemoryLimit(): number | undefined {
  for (const path of ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"]) {
    try {
      const bytes = Number(readFileSync(path, "utf8"));
      // "max" is no number; cgroup 1 writes a number beyond any machine.
      if (Number.isSafeInteger(bytes)) return Math.floor(bytes * CGROUP_SHARE);
    } catch {
      continue; // not this kind of cgroup
    }
  }
  return undefined;
}
