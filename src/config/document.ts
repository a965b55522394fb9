import type { Fault, Origin } from "./fault.ts";

/** A key and its value as text, as somebody wrote them. */
export interface Entry {
  readonly key: string;
  readonly text: string;
  readonly origin: Origin;
  /** Its value could not be taken from the line, and is a fault of the document already. */
  readonly broken?: true;
}

/** What a section describes; `top` stands above all section lines. */
export type Kind = "top" | "queue" | "schedule" | "event";
export const NAMED_KINDS = ["queue", "schedule", "event"] as const satisfies readonly Kind[];

export interface Section {
  readonly kind: Kind;
  /** As written; empty for the top level. */
  readonly name: string;
  readonly origin: Origin;
  readonly entries: readonly Entry[];
}

/** A configuration as written, in a file or as an object, before any value is understood. */
export interface Document {
  readonly top: Section;
  readonly sections: readonly Section[];
  /** What could not be taken for a key or a section at all. */
  readonly faults: readonly Fault[];
}

/** `queue.push`; undefined for the top level. What a fault names as spoilt. */
export const labelOf = (section: Pick<Section, "kind" | "name">): string | undefined =>
  section.kind === "top" ? undefined : `${section.kind}.${section.name}`;
