import { describeError } from "../errors.ts";
import { livenessOf, nameOf, thisProcess } from "./process-identity.ts";
import type { Entry, SlotFolder } from "./slot-folder.ts";
import { upMs } from "./up-time.ts";

/** A run that did not come back from a handler: nothing within its process can end it. */
export interface StuckRun {
  /** `host:pid`. */
  readonly name: string;
  /** Since when it had its slot, in ms since 1970; undefined: it is not known any more. */
  readonly sinceMs: number | undefined;
  /** It is a worker. */
  readonly worker?: true;
  /** Why it could not be ended; absent: it was. */
  readonly fault?: string;
}

/** Whether the process of an entry has been silent for longer than it said, and than `moreMs` besides. */
export const isStuck =
  (folder: SlotFolder, moreMs = 0) =>
  (entry: Entry): boolean => {
    const untilUpMs = folder.silentUntilUpMs(entry);
    return (
      untilUpMs !== undefined && untilUpMs + moreMs < upMs() && livenessOf(processOf(entry)) === "running"
    );
  };

/**
 * Ends it as nothing else could, so that stuck runs do not pile up until nobody works on the queue. What it ran counts
 * as started, like with any run that is killed.
 */
export async function endStuck(folder: SlotFolder, entry: Entry): Promise<StuckRun> {
  const run = { name: nameOf(processOf(entry)), sinceMs: folder.sinceMs(entry) };
  try {
    process.kill(entry.pid, "SIGKILL");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return run; // it has just ended
    return { ...run, fault: describeError(error) };
  }
  folder.leave(entry);
  await untilGone(entry);
  return run;
}

// The kernel ends it within milliseconds, unless a disk or a network share holds it up.
const DYING_MS = 1_000;
const LOOK_AGAIN_MS = 5;

/** What it held is free when it is gone, and not before. */
async function untilGone(entry: Entry): Promise<void> {
  const endMs = performance.now() + DYING_MS;
  while (livenessOf(processOf(entry)) !== "dead" && performance.now() < endMs) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS));
  }
}

const processOf = ({ pid, startedAt }: Entry): ReturnType<typeof thisProcess> => ({
  ...thisProcess(),
  pid,
  startedAt,
});
