import { join } from "node:path";
import { countEmptyRun, emptyRuns, type EmptyRuns } from "./empty-runs.ts";
import { Ledger } from "./ledger.ts";
import type { Began, EndedWork, LedgerEntry } from "./ledger-entry.ts";
import { makeGroupFolder } from "./group-file.ts";
import type { QueueOnHost } from "./queue-on-host.ts";
import { QueueWorkers } from "./queue-workers.ts";
import { livenessOf, nameOf, thisProcess } from "./process-identity.ts";
import { realmName, sweepOldRealms } from "./realm.ts";
import {
  slotHolders,
  takeSlot,
  type RunSlot,
  type SlotAnswer,
  type SlotHolder,
  type SlotRequest,
} from "./run-slots.ts";
import type { StuckRun } from "./stuck-run.ts";

/** What a run did with a queue, as far as the ledger wants to know. */
export type WorkDone = Pick<EndedWork, "done" | "retried" | "dead" | "ended"> &
  Partial<Pick<EndedWork, "left" | "failure">>;

// A worker that has a parent is ended by it, which knows more about it. Those of a parent that was killed are left.
const PARENTS_MS = 3_000;

/**
 * The runs of one queue on this host: who works on it, who waits for what falls due, what they did. It is
 * advice, not the queue: a fault in it harms no task and ends no run, but is told.
 */
export class QueueRuns {
  readonly #queue: string;
  readonly #run: string;
  readonly #kind: Pick<Began, "worker">;
  readonly #folder: string;
  readonly #slots: string;
  readonly #empty: string;
  readonly #ledger: Ledger;
  readonly #workers: QueueWorkers;
  #startedAt = 0;
  #hasBegun = false;
  #wanted = false;
  #workedMs = 0;
  #fault: unknown;
  readonly #stuck: StuckRun[] = [];

  /** `run`: the name of the run that asks; the same for all its queues. `worker`: it is a worker's. */
  constructor({ storePath, queue }: QueueOnHost, run = "", { worker = false } = {}) {
    const folder = join(storePath, "runs");
    this.#folder = folder;
    this.#queue = queue;
    this.#workers = new QueueWorkers({ storePath, queue });
    this.#run = run;
    this.#kind = worker ? { worker } : {};
    this.#slots = join(folder, `${queue}@${realmName()}`);
    this.#empty = join(folder, "empty");
    this.#ledger = new Ledger(folder);
  }

  /** The first thing that went wrong here; undefined: nothing did. */
  get fault(): unknown {
    return this.#fault;
  }

  /** The runs and workers that had come to a standstill, and that this one has ended. */
  get stuck(): readonly StuckRun[] {
    return this.#stuck;
  }

  /** A slot to work; undefined: it cannot be known who has them, and nobody is kept from working. */
  async takeSlot(request: SlotRequest): Promise<SlotAnswer | undefined> {
    const answer = await this.#trying(async () => {
      if (makeGroupFolder(this.#slots)) sweepOldRealms(this.#folder);
      const onStuck = (run: StuckRun): unknown => this.#stuck.push(run);
      const stuckWorkers = this.#workers.endStuck({ afterMs: PARENTS_MS });
      for (const worker of await stuckWorkers) this.#stuck.push({ ...worker, worker: true });
      return takeSlot(this.#slots, { ...request, onStuck });
    });
    // However it ends now: it wanted to do something.
    this.#wanted ||= answer?.kind === "full";
    return answer;
  }

  /** The one place of this queue to wait for what falls due; undefined: another run has it. */
  async takeWait(): Promise<RunSlot | undefined> {
    const answer = await this.#trying(() => takeSlot(`${this.#slots}@wait`, { max: 1 }));
    return answer?.kind === "slot" ? answer.slot : undefined;
  }

  /** The runs that work now. */
  working(): readonly SlotHolder[] {
    return slotHolders(this.#slots);
  }

  /** The run that waits for what falls due. */
  waiting(): SlotHolder | undefined {
    return slotHolders(`${this.#slots}@wait`)[0];
  }

  emptyRuns(): EmptyRuns | undefined {
    return emptyRuns(this.#empty, this.#queue);
  }

  /** What is known of this queue's runs, oldest first. */
  history(nowMs: number): readonly LedgerEntry[] {
    return this.#ledger.read(nowMs).filter(({ queue }) => queue === this.#queue);
  }

  /** A run of this name starts to look at the queue; nothing is written yet. */
  start(nowMs: number): void {
    this.#startedAt = nowMs;
  }

  /** It has something to do. Written once. */
  begin(nowMs: number): void {
    if (this.#hasBegun) return;
    this.#hasBegun = true;
    const began: Began = {
      kind: "began",
      run: this.#run,
      queue: this.#queue,
      at: nowMs,
      who: thisProcess(),
      ...this.#kind,
    };
    this.#trySync(() => {
      this.#ledger.append(began);
    });
  }

  /** It found out at that time that tasks were lost. `text`: for people. */
  lost(text: string, atMs: number): void {
    this.#wanted = true;
    const about = { run: this.#run, queue: this.#queue, at: atMs, ...this.#kind };
    this.#trySync(() => {
      this.#ledger.append({ kind: "lost", ...about, losses: [text] });
    });
  }

  /** It worked for so long; to be called for each stretch of work. */
  worked(ms: number): void {
    this.#workedMs += ms;
  }

  /** It is over: a record when it did or wanted to do something, else one more empty run. */
  end(work: WorkDone, nowMs: number): void {
    const { host, pid } = thisProcess();
    const entry: EndedWork = {
      kind: "ended",
      run: this.#run,
      queue: this.#queue,
      at: nowMs,
      host,
      pid,
      startedAt: this.#startedAt,
      workedMs: Math.round(this.#workedMs),
      ...this.#kind,
      ...work,
    };
    this.#trySync(() => {
      const isWorthALine = this.#hasBegun || this.#wanted || WANTED.includes(work.ended);
      if (isWorthALine) this.#ledger.append(entry);
      else this.#countEmpty();
    });
  }

  /** That nothing can be remembered is said by the runs that have something to tell anyway. */
  #countEmpty(): void {
    try {
      countEmptyRun(this.#empty, this.#queue);
    } catch {
      // cron would mail it with every run, day and night
    }
  }

  /** How many runs of this host worked on the queue since this one started, this one included. */
  sharedBy(): number {
    if (!this.#hasBegun) return 1;
    const others = new Set<string>();
    this.#trySync(() => {
      for (const { name } of this.working()) others.add(name);
      for (const name of this.#overlapping(this.#ledger.readLast())) others.add(name);
    });
    others.delete(nameOf(thisProcess()));
    return others.size + 1;
  }

  /** The runs that ended since this one started and did something, and those that have not ended. */
  #overlapping(entries: readonly LedgerEntry[]): readonly string[] {
    const ended = new Set(entries.flatMap((entry) => (entry.kind === "ended" ? [entry.run] : [])));
    return entries.flatMap((entry) => {
      if (entry.kind === "lost" || entry.queue !== this.#queue || entry.run === this.#run) return [];
      if (entry.kind === "began") return ended.has(entry.run) || isGone(entry) ? [] : [nameOf(entry.who)];
      const did = entry.done + entry.retried + entry.dead > 0;
      const isHere = entry.host === thisProcess().host;
      return did && isHere && entry.at > this.#startedAt
        ? [nameOf({ ...thisProcess(), pid: entry.pid })]
        : [];
    });
  }

  async #trying<T>(act: () => Promise<T>): Promise<T | undefined> {
    try {
      return await act();
    } catch (error) {
      this.#fault ??= error;
      return undefined;
    }
  }

  #trySync(act: () => void): void {
    try {
      act();
    } catch (error) {
      this.#fault ??= error;
    }
  }
}

// It wanted to do something, and could not begin.
const WANTED: readonly string[] = ["full", "failed"];

/** Whether the process that began is not known to live: dead, of another host, or of before a reboot. */
export const isGone = ({ who }: Began): boolean => {
  const liveness = livenessOf(who);
  return liveness !== "running" && liveness !== "stopped";
};
