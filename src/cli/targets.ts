import { MemqError } from "../errors.ts";
import type { Broker } from "../ports/broker.ts";
import type { TaskRecord } from "../task/task.ts";
import type { Parsed } from "./options.ts";
import { askQueues, type Choice } from "./queues.ts";
import type { QueuedRecord } from "./task-text.ts";

/** One task as the command line names it. */
export type Name =
  { readonly kind: "id"; readonly id: string } | { readonly kind: "key"; readonly key: string };

/** What a command works on. */
export type Target = { readonly kind: "all" } | { readonly kind: "named"; readonly names: readonly Name[] };

/** The ids, the --key or the --all of a command line. @throws MemqError USAGE unless it is one of them. */
export function readTarget({ words, text, flag }: Parsed): Target {
  const key = text("key");
  const given = [words.length > 0, key !== undefined, flag("all")].filter(Boolean).length;
  if (given > 1) throw new MemqError("USAGE", "an id, --key and --all exclude each other");
  if (flag("all")) return { kind: "all" };
  if (key !== undefined) return { kind: "named", names: [{ kind: "key", key }] };
  if (words.length === 0) throw new MemqError("USAGE", "no task was named");
  return { kind: "named", names: [...new Set(words)].map((id) => ({ kind: "id", id })) };
}

/** The task in quotes, for sentences. */
export const nameText = (name: Name): string =>
  name.kind === "id"
    ? `task ${JSON.stringify(name.id)}`
    : `the task with the key ${JSON.stringify(name.key)}`;

/**
 * Looks for a task in every chosen queue.
 * @throws MemqError NOT_FOUND; USAGE when several queues have it; what a queue said that could not be asked,
 * when the others do not have it.
 */
export async function locate({ memq, queues }: Choice, name: Name): Promise<QueuedRecord> {
  const { answers, failures } = await askQueues(memq, queues, (broker) => findIn(broker, name));
  const found = answers.flatMap(({ queue, value }) =>
    value === undefined ? [] : [{ queue, record: value }],
  );
  const [first, second] = found;
  if (second !== undefined) throw ambiguous(name, found);
  if (first !== undefined) return first;
  const [failure] = failures;
  if (failure === undefined) throw new MemqError("NOT_FOUND", notFound(name, queues.map(nameOf)));
  const { queue, error } = failure;
  const elsewhere =
    answers.length === 0
      ? ""
      : `${notFound(
          name,
          answers.map((a) => nameOf(a.queue)),
        )}; `;
  throw new MemqError(error.code, `${elsewhere}queue "${queue.name}": ${error.message}`, { cause: error });
}

const findIn = (broker: Broker, name: Name): Promise<TaskRecord | undefined> =>
  name.kind === "id" ? broker.find(name.id) : broker.findKey(name.key);

const nameOf = (queue: { readonly name: string }): string => queue.name;

function notFound(name: Name, queues: readonly string[]): string {
  const what = name.kind === "id" ? `id ${JSON.stringify(name.id)}` : `key ${JSON.stringify(name.key)}`;
  return `no task has the ${what} in ${queues.length === 1 ? "queue" : "queues"} ${queues.join(", ")}`;
}

function ambiguous(name: Name, found: readonly QueuedRecord[]): MemqError {
  const queues = found.map(({ queue }) => queue.name).join(" and ");
  return new MemqError("USAGE", `${nameText(name)} is in the queues ${queues}: say which with --queue`);
}
