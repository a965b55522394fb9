import { readFileSync } from "node:fs";
import { MemqError } from "../errors.ts";

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
  #memoryCheckedAtMs = Number.NEGATIVE_INFINITY;
  #isMemoryFull = false;
  #isStopped = false;

  /** @throws MemqError USAGE for a limit that is none. */
  constructor(limits: Limits, now: () => number) {
    for (const [name, value] of Object.entries(limits)) assertLimit(name, value);
    this.#limits = limits;
    this.#now = now;
    this.#startedAtMs = now();
  }

  /** The limit that keeps a queue from starting a task that takes about so long, in ms; undefined = start it. */
  reached(taskMs: number): LimitReached | undefined {
    if (this.#isStopped) return "stopped";
    if (this.tasksLeft === 0) return "max-tasks";
    if (this.#overTime(taskMs)) return "max-time";
    // What is in use before the first task is no reason to start none, run after run.
    return this.#started > 0 && this.#overMemory() ? "max-memory" : undefined;
  }

  /** No more tasks, whatever the limits say: the run was told to end. */
  stop(): void {
    this.#isStopped = true;
  }

  /** At most how many more tasks may be started. */
  get tasksLeft(): number {
    return Math.max(0, (this.#limits.maxTasks ?? Number.POSITIVE_INFINITY) - this.#started);
  }

  /** When the time is up, in ms since 1970; Infinity: never. */
  get endsAtMs(): number {
    return this.#startedAtMs + (this.#limits.maxTimeMs ?? Number.POSITIVE_INFINITY);
  }

  taskStarted(): void {
    this.#started++;
  }

  #overTime(taskMs: number): boolean {
    const { maxTimeMs } = this.#limits;
    return maxTimeMs !== undefined && this.#now() - this.#startedAtMs + taskMs > maxTimeMs;
  }

  #overMemory(): boolean {
    const { maxMemoryBytes } = this.#limits;
    if (maxMemoryBytes === undefined || this.#isMemoryFull) return this.#isMemoryFull;
    if (this.#now() - this.#memoryCheckedAtMs < MEMORY_CHECK_MS) return false;
    this.#memoryCheckedAtMs = this.#now();
    this.#isMemoryFull = process.memoryUsage.rss() > maxMemoryBytes;
    return this.#isMemoryFull;
  }
}

function assertLimit(name: string, value: unknown): void {
  if (typeof value === "number" && value >= 0) return;
  throw new MemqError("USAGE", `${name} is not a number from 0 on: ${String(value)}`);
}

/** 80 % of the memory that the cgroup allows, in bytes; undefined where there is no such limit. */
export function cgroupMemoryLimit(): number | undefined {
  for (const path of ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"]) {
    try {
      const bytes = Number(readFileSync(path, "utf8"));
      // "max" is no number; cgroup 1 writes a number beyond any machine.
      if (Number.isSafeInteger(bytes) && bytes > 0) return Math.floor(bytes * CGROUP_SHARE);
    } catch {
      continue; // not this kind of cgroup
    }
  }
  return undefined;
}
