import { readFileSync } from "node:fs";
import { MemqError } from "../errors.ts";
import type { Clock } from "../ports/clock.ts";

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
  readonly #clock: Pick<Clock, "now" | "upMs">;
  #started = 0;
  #memoryCheckedAtMs = Number.NEGATIVE_INFINITY;
  #isMemoryFull = false;
  #isStopped = false;

  /** @throws MemqError USAGE for a limit that is none. */
  constructor(limits: Limits, clock: Pick<Clock, "now" | "upMs">) {
    for (const [name, value] of Object.entries(limits)) assertLimit(name, value);
    this.#limits = limits;
    this.#clock = clock;
    this.#startedAtMs = clock.upMs();
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

  /** How much time is left, in ms, below 0 when it is over; Infinity: no limit. */
  get leftMs(): number {
    // Not by the time of day: a clock that is set back an hour would let the run go on for an hour more.
    return this.#startedAtMs + (this.#limits.maxTimeMs ?? Number.POSITIVE_INFINITY) - this.#clock.upMs();
  }

  /** When the time is up as the clock stands now, in ms since 1970; Infinity: never. */
  get endsAtMs(): number {
    return this.#clock.now() + this.leftMs;
  }

  taskStarted(): void {
    this.#started++;
  }

  #overTime(taskMs: number): boolean {
    return this.#limits.maxTimeMs !== undefined && taskMs > this.leftMs;
  }

  #overMemory(): boolean {
    const { maxMemoryBytes } = this.#limits;
    if (maxMemoryBytes === undefined || this.#isMemoryFull) return this.#isMemoryFull;
    if (this.#clock.upMs() - this.#memoryCheckedAtMs < MEMORY_CHECK_MS) return false;
    this.#memoryCheckedAtMs = this.#clock.upMs();
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
