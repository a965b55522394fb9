import { NAMED_KINDS } from "../config/document.ts";
import { inspectConfig, loadConfig, type LoadOptions } from "../config/load.ts";
import { nameFault } from "../config/name.ts";
import { MemqError } from "../errors.ts";
import { Memq } from "../memq.ts";
import type { Parsed } from "./options.ts";
import type { Io } from "./io.ts";

/** A configuration of which only the sound parts are in use. */
export interface SoundMemq {
  readonly memq: Memq;
  /** All faults; undefined = there are none. */
  readonly fault?: MemqError;
  /** How many they are. */
  readonly faultCount: number;
  /** Whether a queue is missing because its own section is at fault, or may be, where a section's line is. */
  readonly isSpoilt: (queue: string) => boolean;
  /** Whether somebody who would listen to an event may be missing, because a section is at fault. */
  readonly mayBeDeaf: boolean;
  /** Whether a fault has to do with these queues: a schedule's may concern any. */
  readonly concerns: (queues: readonly string[]) => boolean;
}

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
  const parts = faults.map(({ section }) => partOf(section));
  // A broken [queue.push hides the queue: that the configuration has none would be half the truth.
  const mayHide = (queue: string): boolean =>
    parts.some(({ kind }) => kind === "unknown") && !config.queues.some(({ name }) => name === queue);
  return {
    memq: new Memq(config),
    faultCount: faults.length,
    isSpoilt: (queue) => parts.some(({ name }) => name === queue) || mayHide(queue),
    mayBeDeaf: parts.some(({ kind }) => kind === "event" || kind === "unknown"),
    concerns: (queues) => parts.some(({ kind, name = "" }) => kind !== "queue" || queues.includes(name)),
    ...(error !== undefined && { fault: error }),
  };
}

/** What a fault spoils; `name`: of a queue. */
interface Part {
  readonly kind: (typeof NAMED_KINDS)[number] | "unknown";
  readonly name?: string;
}

/** Of a section whose line is broken, misspelt or badly named nobody knows what it was meant to be. */
function partOf(section = ""): Part {
  const dot = section.indexOf(".");
  const kind = NAMED_KINDS.find((known) => known === section.slice(0, Math.max(dot, 0)));
  const name = section.slice(dot + 1);
  if (kind === undefined || nameFault(name) !== undefined) return { kind: "unknown" };
  return kind === "queue" ? { kind, name } : { kind };
}
