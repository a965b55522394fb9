import { describeError } from "../errors.ts";
import type { Metronome } from "../schedule/metronome.ts";
import { formatDuration } from "../task/duration.ts";

/** A run in a process of its own. */
export interface ChildRun {
  /** What lines call it. */
  readonly name: string;
  /** How it ended, for people: `exit 0`, `SIGKILL`. Rejects when it could not even be started. */
  readonly ended: Promise<string>;
  stop(signal: NodeJS.Signals): void;
}

/** What a resident starter of runs works with. */
export interface ResidenceParts {
  readonly metronome: Metronome;
  readonly launch: () => ChildRun;
  /** Runs under way at a time; with so many, a further one would find nothing to do. */
  readonly mostRuns: number;
  /** A line for whoever watches. */
  readonly say: (line: string) => void;
  /** A line about something that went wrong. */
  readonly complain: (line: string) => void;
}

/** Starts a run whenever its cadence is due; runs may overlap, and what becomes of one harms no other. */
export class Residence {
  readonly #parts: ResidenceParts;
  readonly #runs = new Set<ChildRun>();
  #isOver = false;

  constructor(parts: ResidenceParts) {
    this.#parts = parts;
  }

  /** To be told the time, once a minute or more often. */
  tick(nowMs: number): void {
    const { metronome, mostRuns, say } = this.#parts;
    if (this.#isOver || metronome.due(nowMs) === undefined) return;
    if (this.#runs.size < mostRuns) this.#start();
    else say(`runjobs: ${String(this.#runs.size)} runs are still at work, none was started`);
  }

  /** Starts no more, passes the signal on, and resolves when every run has ended. */
  async end(signal: NodeJS.Signals): Promise<void> {
    this.#isOver = true;
    const runs = [...this.#runs];
    for (const run of runs) run.stop(signal);
    await Promise.allSettled(runs.map(({ ended }) => ended));
  }

  #start(): void {
    const { launch, say, complain } = this.#parts;
    const startedAtMs = performance.now();
    const run = launch();
    this.#runs.add(run);
    say(`runjobs: ${run.name} started`);
    const leave = (): void => void this.#runs.delete(run);
    run.ended.then(
      (how) => {
        leave();
        say(`runjobs: ${run.name} ended after ${formatDuration(performance.now() - startedAtMs)} (${how})`);
      },
      (error: unknown) => {
        leave();
        complain(`runjobs: a run could not be started: ${describeError(error)}`);
      },
    );
  }
}
