import { EXIT } from "../errors.ts";
import type { Clock } from "../ports/clock.ts";
import { Backoff } from "./backoff.ts";

/** A worker in a process of its own. */
export interface WorkerProcess {
  /** What lines call it, e.g. `worker 4711`. */
  readonly name: string;
  /** Resolves when its handlers are loaded and it works. Never rejects. */
  readonly ready: Promise<void>;
  /** Resolves when it has tried to begin with each of its queues: with those whose handlers it cannot use. Never rejects. */
  readonly begun: Promise<readonly string[]>;
  /** Resolves when it claims no more, and ends by itself when what it runs has ended. Never rejects. */
  readonly leaving: Promise<void>;
  /** Resolves when it is gone. Never rejects. */
  readonly ended: Promise<WorkerEnd>;
  /** Asks it to claim no more and to end when what it runs has ended, however long that takes. */
  leave(): void;
  /** The same, but what still runs after a while is handed back. */
  stop(): void;
  kill(): void;
}

/** How a worker's process ended. */
export interface WorkerEnd {
  readonly code: number | null;
  /** For people: `exit 70`, `SIGKILL`, or why it could not be started. */
  readonly how: string;
}

/** What a supervisor works with. */
export interface SupervisorParts {
  readonly processes: number;
  readonly start: () => WorkerProcess;
  /** A line about something that went wrong. */
  readonly complain: (line: string) => void;
  readonly clock: Clock;
}

/** What came of a reload. "unfit": the new workers could not begin; "overtaken": another one was asked for meanwhile. */
export type ReloadEnd = "replaced" | "unfit" | "overtaken";

// A handler file has half a minute to load, and says so itself when that was too little.
const MOST_BEGINNING_MS = 45_000;
// The first begins alone, to see whether it can.
const MOST_STARTING = 4;
// What runs is handed back after ten seconds, and handlers have ten to close; whoever needs longer hangs.
const MOST_ENDING_MS = 35_000;

/** One of the places for a worker. */
interface Post {
  worker: WorkerProcess | undefined;
  /** The queues that it cannot work on for want of handlers. */
  lacks: readonly string[];
  readonly backoff: Backoff;
}

/**
 * Keeps a number of workers alive: one that dies is replaced, after a second, two, four up to 30 when that goes on;
 * one that leaves by itself is replaced at once. What becomes of one harms no other.
 */
export class Supervisor {
  readonly #parts: SupervisorParts;
  readonly #posts: readonly Post[];
  readonly #alive = new Set<WorkerProcess>();
  /** Those that have come to work, whether they still do or not. */
  readonly #working = new WeakSet<WorkerProcess>();
  /** Decides which death is worth a line: not each of a row. */
  readonly #news = new Backoff();
  /** The same of those that never came to work: what they are to replace is not replaced. */
  readonly #stillborn = new Backoff();
  readonly #over = new AbortController();
  #wasReady = false;
  #exit: number = EXIT.ok;
  #reloading: Promise<ReloadEnd> = Promise.resolve("replaced");
  #overtaking = new AbortController();

  constructor(parts: SupervisorParts) {
    this.#parts = parts;
    this.#posts = Array.from({ length: parts.processes }, () => ({
      worker: undefined,
      lacks: [],
      backoff: new Backoff(),
    }));
  }

  /**
   * Resolves with the exit code when it was told to end and all are gone, or when the first one ends before it ever
   * worked because of its handlers or its configuration: the others would do the same. What one of them lost is in it.
   */
  async run(): Promise<number> {
    const [first, ...others] = this.#posts;
    if (first !== undefined) await this.#settled(this.#fill(first));
    const waiting = others.values();
    // Each takes a processor for a while: all at once they would stand in each other's way.
    const starts = Array.from({ length: MOST_STARTING }, () => this.#startInTurn(waiting));
    await this.#untilOver();
    await Promise.all(starts);
    await this.#untilGone();
    return this.#exit;
  }

  async #startInTurn(posts: Iterable<Post>): Promise<void> {
    for (const post of posts) {
      if (this.#over.signal.aborted) return;
      await this.#settled(this.#fill(post));
    }
  }

  /**
   * Replaces the workers one by one, each when its successor works on whatever it works on itself. Those that could not
   * be replaced go on. Whoever asks again has mended something: what is not done by then is given up for the new try.
   */
  reload(): Promise<ReloadEnd> {
    this.#overtaking.abort();
    const overtaking = (this.#overtaking = new AbortController());
    this.#reloading = this.#reloading.then(() => this.#reload(overtaking.signal));
    return this.#reloading;
  }

  /** No worker is replaced any more; those that live hand back what they do not finish, and end. */
  end(): void {
    this.#over.abort();
    for (const worker of this.#alive) this.#stop(worker);
  }

  /** Ends them at once. What they ran counts as started. */
  kill(): void {
    this.#over.abort();
    for (const worker of this.#alive) worker.kill();
  }

  async #reload(overtaken: AbortSignal): Promise<ReloadEnd> {
    for (const post of this.#posts) {
      if (isAny(overtaken, this.#over.signal)) return "overtaken";
      const successor = this.#start();
      const isFit = await this.#isFit(successor, post, overtaken);
      if (isAny(this.#over.signal)) return "overtaken";
      if (!isFit) {
        this.#dismiss(successor);
        return isAny(overtaken) ? "overtaken" : "unfit";
      }
      const old = post.worker;
      this.#place(post, successor);
      old?.leave();
    }
    return "replaced";
  }

  /** Whether it has begun in time, with no queue missing that the one on the post works on. */
  async #isFit(successor: WorkerProcess, { lacks }: Post, overtaken: AbortSignal): Promise<boolean> {
    const { clock } = this.#parts;
    const isDecided = new AbortController();
    const signal = AbortSignal.any([overtaken, this.#over.signal, isDecided.signal]);
    const late = clock.until(clock.now() + MOST_BEGINNING_MS, signal).then(() => undefined);
    const ended = successor.ended.then(() => undefined);
    const lacking = await Promise.race([successor.begun, ended, late]);
    // With nothing to work on it ends by itself, and says why.
    if (!this.#working.has(successor)) await Promise.race([ended, late]);
    isDecided.abort();
    return this.#working.has(successor) && lacking?.every((queue) => lacks.includes(queue)) === true;
  }

  /** One that has not come to work has nothing to hand back, and may take long to hear it. */
  #stop(worker: WorkerProcess): void {
    if (this.#working.has(worker)) worker.stop();
    else worker.kill();
  }

  /** One that never came to work has nothing to finish, and may hang. */
  #dismiss(worker: WorkerProcess): void {
    if (this.#working.has(worker)) worker.leave();
    else worker.kill();
  }

  /** Puts a new worker on a post. */
  #fill(post: Post): WorkerProcess {
    const worker = this.#start();
    this.#place(post, worker);
    return worker;
  }

  #start(): WorkerProcess {
    const worker = this.#parts.start();
    this.#alive.add(worker);
    void worker.ended.then(({ code }) => {
      this.#alive.delete(worker);
      if (code === EXIT.loss) this.#exit = EXIT.loss;
    });
    void worker.ready.then(() => {
      this.#working.add(worker);
      this.#wasReady = true;
    });
    return worker;
  }

  /** From now on what becomes of it concerns the post, until another one is placed there. */
  #place(post: Post, worker: WorkerProcess): void {
    post.worker = worker;
    post.lacks = [];
    void worker.begun.then((lacks) => {
      if (post.worker === worker) post.lacks = lacks;
    });
    let isReady = false;
    void worker.ready.then(() => {
      isReady = true;
      post.backoff.began(performance.now());
      for (const told of [this.#news, this.#stillborn]) told.began(performance.now());
    });
    void worker.leaving.then(() => {
      if (isReady && this.#isOn(post, worker)) this.#fill(post);
    });
    void worker.ended.then((end) => {
      if (!this.#isOn(post, worker)) return;
      // It was asked to end by others, or its word that it would was not heard in time.
      if (isReady && isOrderly(end)) this.#fill(post);
      else void this.#replace(post, worker, end);
    });
  }

  #isOn(post: Post, worker: WorkerProcess): boolean {
    return post.worker === worker && !this.#over.signal.aborted;
  }

  async #replace(post: Post, worker: WorkerProcess, { code, how }: WorkerEnd): Promise<void> {
    if (!this.#wasReady && code === EXIT.config) {
      this.#exit = EXIT.config;
      this.end();
      return;
    }
    const couldBegin = this.#working.has(worker);
    if ((couldBegin ? this.#news : this.#stillborn).failed(performance.now()).isFirst) {
      const next = couldBegin ? "another one is started in its place" : "it is tried again until one can";
      this.#parts.complain(
        `${worker.name} ended ${couldBegin ? "" : "before it could begin "}(${how}), ${next}`,
      );
    }
    const { waitMs } = post.backoff.failed(performance.now());
    const { clock } = this.#parts;
    await clock.until(clock.now() + waitMs, this.#over.signal);
    if (this.#isOn(post, worker)) this.#fill(post);
  }

  /** Whether it came to work, rather than to its end. */
  #settled(worker: WorkerProcess): Promise<boolean> {
    return Promise.race([worker.ready.then(() => true), worker.ended.then(() => false)]);
  }

  #untilOver(): Promise<void> {
    const { signal } = this.#over;
    if (signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      signal.addEventListener("abort", () => {
        resolve();
      });
    });
  }

  async #untilGone(): Promise<void> {
    const tooLong = setTimeout(() => {
      for (const worker of this.#alive) {
        this.#parts.complain(`${worker.name} did not end, and is ended with SIGKILL`);
        worker.kill();
      }
    }, MOST_ENDING_MS);
    while (this.#alive.size > 0) await Promise.all([...this.#alive].map(({ ended }) => ended));
    clearTimeout(tooLong);
  }
}

/** It came to its end by itself. */
const isOrderly = ({ code }: WorkerEnd): boolean => code === EXIT.ok || code === EXIT.loss;

const isAny = (...signals: readonly AbortSignal[]): boolean => signals.some(({ aborted }) => aborted);
