import { nearest } from "../task/nearest.ts";
import { type Entry, labelOf, type Section } from "./document.ts";
import { type Fault, type Origin, quote, subjectOf } from "./fault.ts";
import type { Reading } from "./reading.ts";
import {
  EVENT_SETTINGS,
  QUEUE_SETTINGS,
  type QueueKey,
  SCHEDULE_SETTINGS,
  type Setting,
  type Settings,
  type Values,
} from "./schema.ts";
import { variableIn } from "./value.ts";

/** Variables of the process, or of a test. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** A value and where it came from. */
export interface Given {
  readonly value: unknown;
  readonly origin: Origin;
  /** It is at fault, and said so; nothing more can be said about it. */
  readonly broken?: true;
}

/** The values of one source: a section, the environment, the flags. The one above hides the one below. */
export type Layer = ReadonlyMap<string, Given>;

export interface LayerReading {
  readonly layer: Layer;
  readonly faults: readonly Fault[];
}

const SETTINGS_OF = {
  top: QUEUE_SETTINGS,
  queue: QUEUE_SETTINGS,
  schedule: SCHEDULE_SETTINGS,
  event: EVENT_SETTINGS,
} as const satisfies Record<Section["kind"], Settings>;

const NO_VARIABLE = "is not env:NAME (a variable's name has letters, digits and _, and no digit first)";

/** The settings that a section of this kind may hold. */
export const settingsOf = (kind: Section["kind"]): Settings => SETTINGS_OF[kind];

/** Reads every entry of a section. */
export function readSection(section: Section, env: Environment): LayerReading {
  const layer = new Map<string, Given>();
  const faults: Fault[] = [];
  const label = labelOf(section);
  for (const entry of section.entries) {
    const { key, origin } = entry;
    const reading = readEntry(entry, section, env);
    if ("value" in reading) layer.set(key, merge(layer.get(key), { value: reading.value, origin }));
    else layer.set(key, { value: undefined, origin, broken: true });
    const knownAlready = entry.broken === true && settingNamed(key, settingsOf(section.kind)) !== undefined;
    if ("fault" in reading && !knownAlready) {
      faults.push({ origin, says: reading.fault, ...(label !== undefined && { section: label }) });
    }
  }
  return { layer, faults };
}

/** A key that ends in `[]` collects its values; any other has one. */
function merge(earlier: Given | undefined, later: Given): Given {
  if (!Array.isArray(earlier?.value) || !Array.isArray(later.value)) return later;
  return { ...earlier, value: [...(earlier.value as unknown[]), ...(later.value as unknown[])] };
}

function readEntry(entry: Entry, section: Section, env: Environment): Reading<unknown> {
  const setting = settingNamed(entry.key, settingsOf(section.kind));
  if (setting === undefined) return { fault: unknownKey(entry, section.kind) };
  if (setting.topOnly === true && section.kind !== "top") {
    return { fault: `${entry.key} stands only above all sections; this one names its queue in its brackets` };
  }
  const variable = variableIn(entry.text);
  if (variable !== undefined) return readVariable(entry, setting, { variable, text: env[variable] });
  if (/^env:/i.test(entry.text)) return { fault: `${subjectOf(entry.origin, entry.key)} ${NO_VARIABLE}` };
  if (setting.envOnly === true && entry.text !== "none") return { fault: literalSecret(entry) };
  return readText(setting, entry.text, subjectOf(entry.origin, entry.key));
}

/** The setting of that key; undefined when there is none. */
export const settingNamed = (key: string, settings: Settings): Setting<unknown> | undefined =>
  Object.hasOwn(settings, key) ? settings[key] : undefined;

/** `subject` is what a fault calls the value; hidden values are never shown. */
function readText(setting: Setting<unknown>, text: string, subject: string): Reading<unknown> {
  if (text === "") return { fault: `${subject} has no value` };
  if (text === "none" && setting.default === undefined && setting.required !== true)
    return { value: undefined };
  const reading = setting.type.read(text);
  if ("value" in reading) return reading;
  return { fault: `${subject}${setting.hidden === true ? "" : showValue(subject, text)} ${reading.fault}` };
}

/** A flag is shown as it is typed, without an equals sign. */
const showValue = (subject: string, text: string): string =>
  subject.startsWith("--") ? ` ${quote(text)}` : ` = ${quote(text)}`;

interface NamedVariable {
  readonly variable: string;
  readonly text: string | undefined;
}

function readVariable(
  entry: Entry,
  setting: Setting<unknown>,
  { variable, text }: NamedVariable,
): Reading<unknown> {
  const subject = `${subjectOf(entry.origin, entry.key)} = env:${variable}`;
  if (text === undefined) return { fault: `${subject}, but ${variable} is not set in the environment` };
  if (text === "") return { fault: `${subject}, but ${variable} is empty` };
  return readText(setting, text, `${subject}, and ${variable}`);
}

const literalSecret = (entry: Entry): string =>
  `${subjectOf(entry.origin, entry.key)} must not stand here itself: write ${entry.key} = env:NAME, and set that variable`;

function unknownKey(entry: Entry, kind: Section["kind"]): string {
  const says = `unknown key ${quote(entry.origin.kind === "member" ? entry.origin.path : entry.key)}`;
  const home = (["schedule", "event"] as const).find((other) => Object.hasOwn(SETTINGS_OF[other], entry.key));
  if (home !== undefined) return `${says}: it belongs to [${home}.NAME]`;
  if (Object.hasOwn(QUEUE_SETTINGS, entry.key)) return `${says}: it belongs to [queue.NAME]`;
  const meant = nearest(entry.key, Object.keys(settingsOf(kind)));
  return meant === undefined ? says : `${says} (did you mean ${quote(meant)}?)`;
}

/** `MEMQ_MAX_SIZE` for `max-size`. */
export const variableOf = (key: string): string => `MEMQ_${key.toUpperCase().replaceAll("-", "_")}`;

/** The `MEMQ_` variables that are keys of a queue; an empty one counts as not set. Others are not ours to judge. */
export function readEnvironment(env: Environment): LayerReading {
  const entries = Object.entries(settingsOf("queue"))
    .filter(([, setting]) => setting.hidden !== true)
    .map(([key]) => ({ key, text: env[variableOf(key)]?.trim() ?? "", name: variableOf(key) }))
    .filter(({ text }) => text !== "")
    .map(({ key, text, name }): Entry => ({ key, text, origin: { kind: "variable", name } }));
  return readTexts(entries);
}

/** Settings given on the command line, for every queue. */
export type Flags = Readonly<Partial<Record<QueueKey, string>>>;

/** Reads the flags; a flag is named after its key. */
export function readFlags(flags: Flags): LayerReading {
  const entries = Object.entries(flags).map(([key, text]): Entry => ({
    key,
    text,
    origin: { kind: "flag", name: key },
  }));
  return readTexts(entries);
}

/** Values that stand for themselves: `env:NAME` is written in files only. */
function readTexts(entries: readonly Entry[]): LayerReading {
  const layer = new Map<string, Given>();
  const faults: Fault[] = [];
  for (const { key, text, origin } of entries) {
    const setting = settingNamed(key, QUEUE_SETTINGS);
    if (setting === undefined) continue;
    const reading = readText(setting, text, subjectOf(origin, key));
    if ("value" in reading) layer.set(key, { value: reading.value, origin });
    else faults.push({ origin, says: reading.fault });
  }
  return { layer, faults };
}

/** The value that the topmost layer gives. */
export const given = (key: string, layers: readonly Layer[]): Given | undefined =>
  layers.find((layer) => layer.has(key))?.get(key);

/** Every setting's value: the topmost layer's, else the default. */
export function valuesOf<S extends Settings>(settings: S, layers: readonly Layer[]): Values<S> {
  const values = Object.entries(settings).map(([key, setting]) => {
    const found = given(key, layers);
    return [key, found === undefined ? defaultOf(setting) : found.value] as const;
  });
  return Object.fromEntries(values) as Values<S>;
}

function defaultOf(setting: Setting<unknown>): unknown {
  if (setting.default === undefined) return undefined;
  const reading = setting.type.read(setting.default);
  return "value" in reading ? reading.value : undefined;
}
