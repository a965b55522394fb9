import { MemqError } from "../errors.ts";
import { livenessOf } from "../host/process-identity.ts";
import type { BulkState } from "../ports/bulks.ts";
import type { Broker } from "../ports/broker.ts";
import { readPlace, type BulkPlace } from "./bulk-place.ts";

/** A bulk, as whoever goes on with it finds it. */
export interface FoundBulk extends Pick<BulkState, "version" | "kept"> {
  readonly place: BulkPlace;
}

/** A bulk to be gone on with by this process; undefined: it begins. @throws MemqError BULK_TAKEN while another publishes it */
export async function takeUp(
  { bulks }: Pick<Broker, "bulks">,
  name: string,
  nowMs: number,
): Promise<FoundBulk | undefined> {
  // Looked at before anything is brought in order: whoever publishes it is not to be disturbed.
  const counted = await bulks.count(name);
  if (counted !== undefined) assertFree(name, placeOf(name, counted.place), nowMs);
  const state = await bulks.resume(name);
  return state && { version: state.version, kept: state.kept, place: placeOf(name, state.place) };
}

function placeOf(name: string, text: string): BulkPlace {
  const place = readPlace(text);
  if (place !== undefined) return place;
  throw new MemqError("STORE_FOREIGN", `bulk "${name}" was begun by a newer memq`);
}

// A publisher on another host cannot be seen; one that has written nothing for so long is not there.
const SILENT_MS = 60_000;

function assertFree(name: string, { by, at }: BulkPlace, nowMs: number): void {
  if (by === undefined) return;
  const liveness = livenessOf(by);
  const isSilent = Math.abs(nowMs - at) >= SILENT_MS;
  if (liveness === "dead" || (liveness === "unknown" && isSilent)) return;
  if (liveness !== "unknown" && isSelf(by.pid)) return;
  const who = `process ${String(by.pid)} on ${by.host}`;
  throw new MemqError("BULK_TAKEN", `bulk "${name}" is being published by ${who}`);
}

const isSelf = (pid: number): boolean => pid === process.pid;
