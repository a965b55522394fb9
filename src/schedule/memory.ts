import { ownMembers } from "../task/own-members.ts";

/** What is remembered of a schedule, for every host that shares its queue. Times are ms since 1970. */
export interface Memory {
  /** `Schedule.written` of whoever noted it. */
  readonly written: string;
  /** Times up to this one were fired, or let go. */
  readonly lastMs: number;
  readonly paused: boolean;
  /** Somebody is about to publish. */
  readonly firing?: Intent;
  /** What was published last. */
  readonly fired?: Fired;
  /** A clock that was set back made `lastMs` smaller than it had been. */
  readonly undone?: { readonly lastMs: number; readonly host: string };
}

/** Who publishes for which times, and since when. */
export interface Intent {
  readonly times: readonly number[];
  readonly by: string;
  readonly sinceMs: number;
}

/** The last of the tasks that a schedule published. */
export interface Fired {
  readonly timeMs: number;
  /** When it was published. */
  readonly atMs: number;
  readonly id: string;
}

const VERSION = 1; // any change: add 1, and keep reading the one before

/** What a note tells. */
export type Recollection =
  | { readonly kind: "memory"; readonly memory: Memory }
  | { readonly kind: "newer" }
  | { readonly kind: "none" };

/** The text of a note. */
export const encodeMemory = (memory: Memory): string => JSON.stringify({ v: VERSION, ...memory });

/** What a note's text tells; one that cannot be read is as good as none, and is written anew. */
export function decodeMemory(text: string): Recollection {
  const value = parse(text);
  const version = value["v"];
  if (typeof version === "number" && version > VERSION) return { kind: "newer" };
  if (version !== VERSION || !isMemory(value)) return { kind: "none" };
  const { v: _version, ...memory } = value;
  return { kind: "memory", memory };
}

function parse(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? ownMembers(value as Record<string, unknown>) : {};
  } catch {
    return {}; // somebody else's text, or half of ours
  }
}

function isMemory(
  value: Readonly<Record<string, unknown>>,
): value is Readonly<Record<string, unknown>> & Memory {
  return (
    typeof value["written"] === "string" &&
    Number.isFinite(value["lastMs"]) &&
    typeof value["paused"] === "boolean" &&
    (value["firing"] === undefined || isIntent(value["firing"]))
  );
}

function isIntent(value: unknown): boolean {
  const { times, sinceMs } = (value ?? {}) as Partial<Intent>;
  return Array.isArray(times) && times.length > 0 && times.every(Number.isFinite) && Number.isFinite(sinceMs);
}
