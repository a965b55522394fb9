/** @typedef {import("./place.mjs").Place} Place */
/** @typedef {import("./ground.mjs").Ground} Ground */
/** @typedef {import("./contenders.mjs").Contender} Contender */

/**
 * What is done in one go, once per contender and round; its figures fill some rows of the table.
 * @typedef {object} Trial
 * @property {string} name as `--only` says it
 * @property {string} about
 * @property {number} rounds
 * @property {readonly Row[]} rows
 * @property {(place: Place) => Promise<Figures>} measure with a server and a folder that only this trial uses
 * @property {(ground: Ground) => Promise<Floors>} [floors] what the machine needs for as much
 */
/**
 * @typedef {object} Row
 * @property {string} key
 * @property {string} title
 * @property {"ms" | "tasks/s" | "MB" | "B" | "x" | "tasks"} unit
 * @property {"fall" | "rise"} better
 * @property {boolean} [isOver] the floor is taken away; else it divides
 * @property {string} [beyond] what an infinite figure means
 */
/** @typedef {Record<string, number>} Figures by the rows' keys; what was not measured is not there */
/** @typedef {"file" | "socket" | "node"} FloorKind */
/** @typedef {Partial<Record<FloorKind, Figures>>} Floors */

/**
 * @typedef {object} Outcome
 * @property {Trial} trial
 * @property {readonly Floors[]} floors one per round
 * @property {ReadonlyMap<Contender, { rounds: readonly Figures[], failure?: string }>} found
 */

/**
 * All contenders and the floors in turn, round by round: what the machine does besides hits them alike. One that
 * fails is out of the trial, and the others go on.
 * @param {Trial} trial
 * @param {{ contenders: readonly Contender[], ground: Ground, open: (contender: Contender) => Promise<Place>, tell: (line: string) => void }} arena
 * @returns {Promise<Outcome>}
 */
export async function held(trial, { contenders, ground, open, tell }) {
  const entries = contenders.map((contender) => new Entry(contender));
  /** @type {Floors[]} */
  const floors = [];
  try {
    for (const entry of entries)
      await entry.attempt(tell, async () => void (entry.place = await open(entry.contender)));
    for (let round = 0; round < trial.rounds; round++) {
      tell(`${trial.name}: round ${String(round + 1)} of ${String(trial.rounds)}`);
      floors.push((await trial.floors?.(ground)) ?? {});
      for (const entry of rotated(entries, round)) {
        await entry.attempt(tell, () => entry.measure(trial));
        tell(`${trial.name}: ${entry.contender.name} is through`);
      }
    }
  } finally {
    for (const { place } of entries) await place?.close();
  }
  return { trial, floors, found: new Map(entries.map(({ contender, result }) => [contender, result])) };
}

/** A contender in a trial. */
class Entry {
  /** @type {{ rounds: Figures[], failure?: string }} */
  result = { rounds: [] };
  /** @type {Place | undefined} */
  place;

  /** @param {Contender} contender */
  constructor(contender) {
    this.contender = contender;
  }

  /** @param {(line: string) => void} tell @param {() => Promise<void>} work */
  async attempt(tell, work) {
    if (this.result.failure !== undefined) return;
    try {
      await work();
    } catch (error) {
      this.result.failure = error instanceof Error ? error.message : String(error);
      tell(`${this.contender.name} failed and is left out of this trial: ${this.result.failure}`);
    }
  }

  /** @param {Trial} trial */
  async measure(trial) {
    if (this.place !== undefined) this.result.rounds.push(await trial.measure(this.place));
  }
}

/** So that none always comes after the same other. @template T @param {readonly T[]} all @param {number} by */
const rotated = (all, by) => all.map((_, nth) => /** @type {T} */ (all[(nth + by) % all.length]));
