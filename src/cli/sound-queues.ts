import type { MemqError } from "../errors.ts";
import type { Memq } from "../memq.ts";
import type { Parsed } from "./options.ts";
import type { Session } from "./shell.ts";

/** The queues that a command works on. */
export interface SoundQueues {
  readonly memq: Memq;
  /** What is wrong with the rest of what was asked for. */
  readonly fault: MemqError | undefined;
  readonly queues: readonly string[];
  /** The names on the command line; undefined: all queues were meant. */
  readonly asked: readonly string[] | undefined;
}

/**
 * The queues to drain. One whose section is wrong is left out, its faults are told; a misspelt one ends the run.
 * What is wrong with queues that were not asked for is not told.
 */
export function soundQueues(session: Session): SoundQueues {
  const chosen = chooseSound(session);
  if (chosen.fault !== undefined) session.complainOf(chosen.fault);
  return chosen;
}

/** The same, and nothing is told yet. @throws MemqError when none of them is sound. */
export function chooseSound(session: Session): SoundQueues {
  const { memq, fault: anyFault, isSpoilt, concerns } = session.openSound();
  const asked = queueNames(session.parsed);
  const named = asked ?? memq.config.queues.map(({ name }) => name);
  const queues = named.filter((name) => !isSpoilt(name));
  for (const name of queues) memq.queueConfig(name);
  const fault = asked === undefined || concerns(asked) ? anyFault : undefined;
  if (fault !== undefined && queues.length === 0) throw fault;
  return { memq, fault, queues, asked };
}

function queueNames({ words, text }: Parsed): readonly string[] | undefined {
  const named = text("queue");
  const all = named === undefined ? words : [named, ...words];
  return all.length === 0 ? undefined : [...new Set(all)];
}
