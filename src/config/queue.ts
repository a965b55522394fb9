import { resolve } from "node:path";
import type { QueueConfig, ServerConfig } from "./config.ts";
import type { Fault } from "./fault.ts";
import { given, type Layer, valuesOf } from "./layer.ts";
import { QUEUE_SETTINGS, type Values } from "./schema.ts";

type QueueValues = Values<typeof QUEUE_SETTINGS>;

/** Where a queue's settings come from. `layers`: the topmost first. */
export interface QueueSource {
  readonly name: string;
  readonly layers: readonly Layer[];
  /** Relative paths start here. */
  readonly folder: string;
  /** The section that faults of this queue spoil; undefined: the top level. */
  readonly label?: string;
}

/** The queue with every setting resolved. */
export function queueOf({ name, layers, folder }: QueueSource): QueueConfig {
  const values = valuesOf(QUEUE_SETTINGS, layers);
  const server = serverOf(values);
  return {
    name,
    ...(server !== undefined && { server }),
    className: values.classname,
    storePath: resolve(folder, values.store),
    retryMs: values.retry,
    timeoutMs: values.timeout,
    concurrency: values.concurrency,
    maxTaskBytes: values["max-size"],
    bundle: values.bundle,
    maxRuns: values["max-runs"],
    cover: values.cover,
    warn: values.warn ?? {},
    ...(values.secret !== undefined && { secret: values.secret }),
    ...(values.every !== undefined && { every: values.every }),
    ...(values.ping !== undefined && { ping: values.ping }),
    ...(values.results !== undefined && { resultsMs: values.results }),
    ...pathsOf(values, folder),
  };
}

function serverOf(values: QueueValues): ServerConfig | undefined {
  if (values.queueip === undefined) return undefined;
  return {
    host: values.queueip,
    port: values.queueport,
    ...(values.username !== undefined && { username: values.username }),
    ...(values.password !== undefined && { password: values.password }),
  };
}

const pathsOf = (
  values: QueueValues,
  folder: string,
): Partial<Pick<QueueConfig, "handlers" | "log" | "onResult">> => ({
  ...(values.handlers !== undefined && { handlers: resolve(folder, values.handlers) }),
  ...(values.log !== undefined && { log: resolve(folder, values.log) }),
  ...(values["on-result"] !== undefined && { onResult: resolve(folder, values["on-result"]) }),
});

// What one setting asks of another, of those that are set.
const COMPANIONS = [
  { key: "username", needs: "password", says: "username needs a password beside it" },
  { key: "password", needs: "username", says: "password needs a username beside it" },
] as const;

/** What is wrong with settings that are right one by one. */
export function queueFaults({ layers, label }: QueueSource): readonly Fault[] {
  return COMPANIONS.filter(({ key, needs }) => isOn(key, layers) && isOff(needs, layers)).map(
    ({ key, says }) => ({
      origin: given(key, layers)?.origin ?? { kind: "file" },
      says,
      ...(label !== undefined && { section: label }),
    }),
  );
}

function isOn(key: string, layers: readonly Layer[]): boolean {
  const found = given(key, layers);
  return found !== undefined && found.broken !== true && found.value !== undefined && found.value !== false;
}

/** Not set at all; a setting at fault is neither on nor off. */
function isOff(key: string, layers: readonly Layer[]): boolean {
  const found = given(key, layers);
  return found === undefined || (found.broken !== true && found.value === undefined);
}

/**
 * A port that no queue's server has: the tasks would quietly stay on this machine. Undefined when all is
 * well, and when `queueip = none` says that they shall.
 */
export function strayPort(queues: readonly QueueSource[]): Fault | undefined {
  if (queues.some(({ layers }) => given("queueip", layers) !== undefined)) return undefined;
  const port = queues.map(({ layers }) => given("queueport", layers)).find((found) => found !== undefined);
  if (port === undefined) return undefined;
  return { origin: port.origin, says: "queueport without a queueip: name the memcached, or remove the port" };
}
