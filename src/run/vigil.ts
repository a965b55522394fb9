import type { Task } from "../task/task.ts";
import type { CallWatch } from "./dispatcher.ts";

/** What a vigil works with. */
export interface VigilParts {
  /** Says that the process may be silent for so many ms from now; absent: nobody minds. */
  readonly mayBlock?: (ms: number) => void;
  /** Told once of each handler that goes on though its time is up. */
  readonly onHang: (queue: string, task: Task) => void;
  /** Ms of a clock that nobody sets. Default: performance.now. */
  readonly upMs?: () => number;
}

// A handler that minds its signal has ended by then, and one that blocks has overrun its time.
const GRACE_MS = 5_000;
// Nothing is called: what keeps the process busy is a handler's import, its constructor or its timer.
const IDLE_MS = 60_000;
const TICK_MS = 1_000;
// To say it is a system call or two: a run of fast tasks need not pay for each of them.
const SLACK_MS = 500;

interface Call {
  readonly queue: string;
  readonly task: Task;
  readonly untilMs: number;
  isTold: boolean;
}

/**
 * Minds the calls of a worker's handlers: one that goes on beyond its time is told, and for one that blocks the
 * process somebody outside has to know how long that may be.
 */
export class Vigil {
  readonly #parts: VigilParts;
  readonly #upMs: () => number;
  readonly #calls = new Set<Call>();
  readonly #timer: NodeJS.Timeout;
  #untilMs = 0;
  #saidMs = 0;

  constructor(parts: VigilParts) {
    this.#parts = parts;
    this.#upMs = parts.upMs ?? (() => performance.now());
    this.#timer = setInterval(() => {
      this.look();
    }, TICK_MS);
    this.#say(this.#upMs());
  }

  /** For the calls of one queue. */
  of(queue: string): CallWatch {
    return { begins: (task, timeoutMs) => this.#begins({ queue, task }, timeoutMs) };
  }

  /** Looks for handlers that go on too long; done once a second. */
  look(): void {
    const nowMs = this.#upMs();
    this.#untilMs = 0;
    for (const call of this.#calls) {
      if (call.untilMs + GRACE_MS > nowMs) this.#untilMs = Math.max(this.#untilMs, call.untilMs);
      else this.#tell(call);
    }
    this.#say(nowMs);
  }

  end(): void {
    clearInterval(this.#timer);
  }

  #begins(about: Pick<Call, "queue" | "task">, timeoutMs: number): () => void {
    const nowMs = this.#upMs();
    const call: Call = { ...about, untilMs: nowMs + timeoutMs, isTold: false };
    this.#calls.add(call);
    this.#untilMs = Math.max(this.#untilMs, call.untilMs);
    this.#say(nowMs);
    return () => {
      this.#calls.delete(call);
      if (this.#calls.size === 0) this.#untilMs = 0;
    };
  }

  #tell(call: Call): void {
    if (call.isTold) return;
    call.isTold = true;
    this.#parts.onHang(call.queue, call.task);
  }

  /** Only when what was said last is too little, or much more than is needed. */
  #say(nowMs: number): void {
    const { mayBlock } = this.#parts;
    const neededMs = this.#untilMs === 0 ? nowMs + IDLE_MS : this.#untilMs + GRACE_MS;
    if (mayBlock === undefined || (neededMs <= this.#saidMs && this.#saidMs <= neededMs + 2 * SLACK_MS))
      return;
    this.#saidMs = neededMs + SLACK_MS;
    mayBlock(this.#saidMs - nowMs);
  }
}
