import type { Config, EventConfig, QueueConfig, ScheduleConfig } from "./config.ts";
import { type Document, labelOf, type Section } from "./document.ts";
import type { Fault } from "./fault.ts";
import { type Environment, given, type Layer, type LayerReading, readSection } from "./layer.ts";
import { eventOf, triggerFaults, scheduleOf } from "./triggers.ts";
import { queueFaults, queueOf, type QueueSource, strayPort } from "./queue.ts";

/** What a document is resolved against. */
export interface Surroundings {
  /** Undefined when the configuration was given as an object. */
  readonly file?: string;
  /** Absolute; relative paths start here. */
  readonly folder: string;
  /** Where `env:NAME` is looked up. */
  readonly env: Environment;
  /** What hides the document's own settings: flags, environment; the topmost first. */
  readonly above: readonly LayerReading[];
}

/**
 * `faults` are all there are. `config` is there when the top level has none; it holds the queues,
 * schedules and events that have none, so that one wrong section harms only itself.
 */
export interface Resolution {
  readonly config?: Config;
  readonly faults: readonly Fault[];
}

interface ReadSection extends LayerReading {
  readonly section: Section;
}

/** Understands a document: pure, apart from the environment it is given. */
export function resolveDocument(document: Document, surroundings: Surroundings): Resolution {
  const read = (section: Section): ReadSection => ({ section, ...readSection(section, surroundings.env) });
  const top = read(document.top);
  const sections = document.sections.map(read);
  const queues = queueSources({ top, sections }, surroundings);
  const triggers = sections.filter(({ section }) => section.kind === "schedule" || section.kind === "event");
  const stray = strayPort(queues);
  const faults = [
    ...document.faults,
    ...surroundings.above.flatMap((reading) => reading.faults),
    ...[top, ...sections].flatMap((reading) => reading.faults),
    ...withoutRepeats(queues.flatMap(queueFaults)),
    ...(stray === undefined ? [] : [stray]),
    ...triggers.flatMap(({ section, layer }) => triggerFaults(section, layer, queues.map(nameOf))),
  ];
  const config = configFrom({ queues, triggers, faults }, surroundings);
  return {
    faults,
    ...(config !== undefined && { config }),
  };
}

const nameOf = (queue: { readonly name: string }): string => queue.name;

/** A fault of the top level shows in every queue that inherits it. */
function withoutRepeats(faults: readonly Fault[]): readonly Fault[] {
  const seen = new Map(faults.map((fault) => [JSON.stringify([fault.origin, fault.says]), fault]));
  return [...seen.values()];
}

interface Readings {
  readonly top: ReadSection;
  readonly sections: readonly ReadSection[];
}

/** The queue of the top level first, then the sections' in the order of the file. */
function queueSources(
  { top, sections }: Readings,
  { above, folder }: Surroundings,
): readonly [QueueSource, ...QueueSource[]] {
  const hiding = above.map(({ layer }) => layer);
  const name = defaultName([...hiding, top.layer]);
  const source = (queue: string, own: ReadSection | undefined): QueueSource => ({
    name: queue,
    folder,
    layers: [...hiding, ...(own === undefined ? [] : [own.layer]), top.layer],
    ...(own !== undefined && { label: labelOf(own.section) ?? "" }),
  });
  const queues = sections.filter(({ section }) => section.kind === "queue");
  const others = queues.filter(({ section }) => section.name !== name);
  return [
    // A section with the default queue's own name holds what is meant for that queue alone.
    source(
      name,
      queues.find(({ section }) => section.name === name),
    ),
    ...others.map((own) => source(own.section.name, own)),
  ];
}

function defaultName(layers: readonly Layer[]): string {
  const value = given("queuename", layers)?.value;
  return typeof value === "string" ? value : "default";
}

interface Understood {
  readonly queues: readonly [QueueSource, ...QueueSource[]];
  readonly triggers: readonly ReadSection[];
  readonly faults: readonly Fault[];
}

function configFrom(
  { queues, triggers, faults }: Understood,
  { file, folder }: Surroundings,
): Config | undefined {
  const spoilt = new Set(faults.map((fault) => fault.section));
  const [first, ...others] = queues;
  if (spoilt.has(undefined) || spoilt.has(first.label ?? "")) return undefined;
  const good = triggers.filter(({ section }) => !spoilt.has(labelOf(section)));
  const sound = (queue: QueueSource): boolean => !spoilt.has(queue.label);
  const rest: readonly QueueConfig[] = others.filter(sound).map(queueOf);
  return {
    ...(file !== undefined && { file }),
    folder,
    queues: [queueOf(first), ...rest],
    schedules: schedulesOf(good, first.name),
    events: eventsOf(good),
  };
}

const schedulesOf = (triggers: readonly ReadSection[], queueName: string): readonly ScheduleConfig[] =>
  triggers
    .filter(({ section }) => section.kind === "schedule")
    .map(({ section, layer }) => scheduleOf(section, layer, queueName));

const eventsOf = (triggers: readonly ReadSection[]): readonly EventConfig[] =>
  triggers
    .filter(({ section }) => section.kind === "event")
    .map(({ section, layer }) => eventOf(section, layer));
