import type { Calendar } from "./calendar.ts";
import type { Memory } from "./memory.ts";
import { fired, nextStep, type Timing } from "./next-step.ts";

/**
 * Tells a resident process when its cadence is due: each of its times once, whatever becomes of the clock, and
 * after a rest (a machine that slept) the last one only.
 */
export class Metronome {
  readonly #timing: Timing;
  #memory: Memory;

  /** Times after `startMs` count. */
  constructor(calendar: Calendar, startMs: number) {
    this.#timing = { calendar, written: "", catchUp: "one", graceMs: Infinity };
    this.#memory = { written: "", lastMs: startMs, paused: false };
  }

  /** The time that is due, in ms; undefined: none is. Ask it once a minute or more often. */
  due(nowMs: number): number | undefined {
    const step = nextStep(this.#timing, this.#memory, { nowMs, host: "", by: "" });
    if (step.kind === "rest") return undefined;
    this.#memory =
      step.kind === "fire" ? fired(step.memory, step.times, { atMs: nowMs, id: "" }) : step.memory;
    return step.kind === "fire" ? step.times.at(-1) : undefined;
  }

  /** The time after that one; undefined: never. */
  next(nowMs: number): number | undefined {
    return this.#timing.calendar.next(nowMs);
  }
}
