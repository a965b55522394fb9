import { inspectConfig, loadConfig, type LoadOptions } from "../config/load.ts";
import { MemqError } from "../errors.ts";
import { Memq } from "../memq.ts";
import type { Parsed } from "./options.ts";
import type { Io } from "./io.ts";

/** A configuration of which only the sound parts are in use. */
export interface SoundMemq {
  readonly memq: Memq;
  /** All faults; undefined = there are none. */
  readonly fault?: MemqError;
  /** Whether a queue is missing because its own section is at fault. */
  readonly isSpoilt: (queue: string) => boolean;
  /** Whether a fault has to do with these queues: a schedule's may concern any. */
  readonly concerns: (queues: readonly string[]) => boolean;
}

const QUEUE_SECTION = "queue.";

/** Where the command line says the configuration is. */
export function configPlace(parsed: Parsed, io: Io): LoadOptions {
  const path = parsed.text("config");
  return { env: io.env, cwd: io.cwd(), ...(path !== undefined && { path }) };
}

/** The configuration that the command line names. @throws MemqError CONFIG_* */
export const openConfiguration = (parsed: Parsed, io: Io): Memq =>
  new Memq(loadConfig(configPlace(parsed, io)));

/**
 * The same for commands that work on the queue of --queue: what is wrong with another one is not theirs to tell.
 * @throws MemqError CONFIG_*
 */
export function openForQueue(parsed: Parsed, io: Io): Memq {
  const { memq, fault, isSpoilt } = openSoundParts(parsed, io);
  if (fault !== undefined && isSpoilt(parsed.text("queue") ?? memq.queueConfig().name)) throw fault;
  return memq;
}

/**
 * The same for commands that work on several queues: a wrong section harms only itself.
 * @throws MemqError CONFIG_* when nothing of it can be used.
 */
export function openSoundParts(parsed: Parsed, io: Io): SoundMemq {
  const { config, faults, error } = inspectConfig(configPlace(parsed, io));
  if (config === undefined) throw error ?? new MemqError("BUG", "a configuration came to nothing");
  return {
    memq: new Memq(config),
    isSpoilt: (queue) => faults.some(({ section }) => section === QUEUE_SECTION + queue),
    concerns: (queues) =>
      faults.some(({ section }) => {
        const isQueue = section?.startsWith(QUEUE_SECTION) === true;
        return !isQueue || queues.includes(section.slice(QUEUE_SECTION.length));
      }),
    ...(error !== undefined && { fault: error }),
  };
}
