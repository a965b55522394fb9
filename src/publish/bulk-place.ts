import type { ProcessIdentity } from "../host/process-identity.ts";

/** How far the publisher of a bulk has come. Written with the tasks before it, or not at all. */
export interface BulkPlace {
  /** Lines of the input that are answered. */
  readonly line: number;
  /** Their bytes. */
  readonly bytes: number;
  /** Their fingerprint. */
  readonly print: string;
  readonly duplicate: number;
  readonly refused: number;
  /** When it was written, in ms. */
  readonly at: number;
  /** Who goes on from here; undefined: the input is at its end. */
  readonly by?: ProcessIdentity;
}

// Any change: add 1, keep a reader for the old one, add a fixture.
const PLACE_VERSION = 1;

/** The place as a broker keeps it. */
export const placeText = (place: BulkPlace): string => JSON.stringify({ v: PLACE_VERSION, ...place });

/** Undefined for a text that another version wrote. */
export function readPlace(text: string): BulkPlace | undefined {
  try {
    const { v, ...place } = JSON.parse(text) as BulkPlace & { v: unknown };
    return v === PLACE_VERSION ? place : undefined;
  } catch {
    return undefined; // not ours at all
  }
}
