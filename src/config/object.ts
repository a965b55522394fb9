import type { Document, Entry, Kind, Section } from "./document.ts";
import { labelOf } from "./document.ts";
import { type Fault, quote } from "./fault.ts";
import { settingsOf } from "./layer.ts";
import { nameFault } from "./name.ts";
import type { EVENT_SETTINGS, QueueKey, SCHEDULE_SETTINGS } from "./schema.ts";

/** As in config.ini, or as a number (ms, bytes, or a count), a boolean (on, off) or a list. */
export type SettingInput = string | number | boolean | readonly (string | number)[] | undefined;

export type QueueInput = { readonly [K in Exclude<QueueKey, "queuename">]?: SettingInput };
export type ScheduleInput = { readonly [K in keyof typeof SCHEDULE_SETTINGS]?: SettingInput };
export type EventInput = {
  readonly [K in Exclude<keyof typeof EVENT_SETTINGS, "task[]"> | "task"]?: SettingInput;
};

/**
 * A configuration in code, with the keys of config.ini:
 * `{ queuename: "default", timeout: "60s", queue: { push: { concurrency: 4 } } }`.
 */
export interface ConfigInput extends QueueInput {
  readonly queuename?: string;
  readonly queue?: Readonly<Record<string, QueueInput>>;
  readonly schedule?: Readonly<Record<string, ScheduleInput>>;
  readonly event?: Readonly<Record<string, EventInput>>;
}

type NamedKind = Exclude<Kind, "top">;
const NAMED: readonly NamedKind[] = ["queue", "schedule", "event"];

/** The document that the object stands for, as if it had been written in a file. Never throws. */
export function documentOf(input: ConfigInput): Document {
  const faults: Fault[] = [];
  if (!isRecord(input)) {
    faults.push({ origin: { kind: "file" }, says: "the configuration is not an object" });
    return { top: sectionOf("top", "", { members: {}, faults }), sections: [], faults };
  }
  const settings = Object.fromEntries(Object.entries(input).filter(([key]) => !isNamed(key)));
  const top = sectionOf("top", "", { members: settings, faults });
  return { top, sections: NAMED.flatMap((kind) => sectionsOf(kind, input[kind], faults)), faults };
}

const isNamed = (key: string): boolean => NAMED.some((kind) => kind === key);
const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function sectionsOf(kind: NamedKind, group: unknown, faults: Fault[]): readonly Section[] {
  if (group === undefined) return [];
  if (!isRecord(group)) {
    faults.push({ origin: { kind: "member", path: kind }, says: `${kind} is not an object of names` });
    return [];
  }
  return Object.entries(group).flatMap(([name, members]) => {
    const fault = isRecord(members) ? nameFault(name) : "does not lead to an object";
    if (fault === undefined && isRecord(members)) return [sectionOf(kind, name, { members, faults })];
    const says = `${kind}: the name ${quote(name)} ${fault ?? ""}`;
    faults.push({ origin: { kind: "member", path: kind }, says, section: `${kind}.${name}` });
    return [];
  });
}

interface Members {
  readonly members: Readonly<Record<string, unknown>>;
  readonly faults: Fault[];
}

function sectionOf(kind: Kind, name: string, { members, faults }: Members): Section {
  const section = labelOf({ kind, name });
  const entries = Object.entries(members).flatMap(([key, value]): readonly Entry[] => {
    if (value === undefined) return [];
    const origin = { kind: "member", path: section === undefined ? key : `${section}.${key}` } as const;
    const texts = textsOf(kind, key, value);
    if (texts !== undefined) return texts.map((text) => ({ key: listKey(kind, key) ?? key, text, origin }));
    const says = `${origin.path} is ${value === null ? "null" : `a ${typeof value}`} (write a text, a number or a list)`;
    faults.push({ origin, says, ...(section !== undefined && { section }) });
    return [];
  });
  const origin =
    section === undefined ? ({ kind: "file" } as const) : ({ kind: "member", path: section } as const);
  return { kind, name, origin, entries };
}

/** `task[]` for `task`: in code a list needs no brackets. */
const listKey = (kind: Kind, key: string): string | undefined =>
  Object.hasOwn(settingsOf(kind), `${key}[]`) ? `${key}[]` : undefined;

/** The texts that a file would hold for the value; undefined when there are none. */
function textsOf(kind: Kind, key: string, value: unknown): readonly string[] | undefined {
  if (!Array.isArray(value)) {
    const text = textOf(kind, key, value);
    return text === undefined ? undefined : [text];
  }
  const texts = value.map((item: unknown) => textOf(kind, key, item)).filter((text) => text !== undefined);
  if (texts.length < value.length) return undefined;
  if (listKey(kind, key) !== undefined) return texts;
  return [texts.length === 0 ? "none" : texts.join(", ")];
}

function textOf(kind: Kind, key: string, value: unknown): string | undefined {
  if (typeof value === "string") return value;
  if (typeof value === "boolean") return value ? "on" : "off";
  if (typeof value !== "number") return undefined;
  const settings = settingsOf(kind);
  const type = Object.hasOwn(settings, key) ? settings[key]?.type : undefined;
  return type?.ofNumber?.(value) ?? String(value);
}
