import { MemqError } from "../errors.ts";
import type { Broker } from "../ports/broker.ts";
import { PACE_NOTE, paceOf, paceText } from "../ports/pace.ts";

// What differs by less changes nobody's mind.
const WORTH_A_NOTE = 1.5;

/** Leaves what a task took lately for publishers, where they ask for it. `meanMs` 0: nothing was run. */
export async function leavePace({ capabilities, notes }: Broker, meanMs: number): Promise<void> {
  if (capabilities.bundles !== true || meanMs === 0) return;
  try {
    const note = await notes.read(PACE_NOTE);
    if (isNew(paceOf(note?.value), meanMs)) await notes.write(PACE_NOTE, paceText(meanMs), note?.version);
  } catch (error) {
    if (!(error instanceof MemqError)) throw error;
    // only a hint: the next run leaves it
  }
}

const isNew = (known: number | undefined, meanMs: number): boolean =>
  known === undefined || meanMs > known * WORTH_A_NOTE || meanMs * WORTH_A_NOTE < known;
