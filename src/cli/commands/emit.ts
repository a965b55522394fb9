import { EXIT, MemqError } from "../../errors.ts";
import type { Memq } from "../../memq.ts";
import { heardBy, type EmittedTask, type EventParams } from "../../publish/events.ts";
import { parseJson } from "../../task/call.ts";
import { eventTaskText, type EventTask } from "../../task/event-task.ts";
import type { Json } from "../../task/task.ts";
import { columns } from "../columns.ts";
import { printable } from "../printable.ts";
import type { Parsed } from "../options.ts";
import { warnOfServer } from "../server-warning.ts";
import type { Session } from "../shell.ts";

/** `memq emit`: publishes the tasks that listen to an event. */
export async function emit(session: Session): Promise<number> {
  const { parsed } = session;
  if (parsed.text("queue") !== undefined)
    throw new MemqError(
      "USAGE",
      "--queue: each task of an event says its own queue, such as closeOrder @mail",
    );
  if (parsed.flag("list")) return listEvents(session);
  const [event, ...pairs] = parsed.words;
  if (event === undefined)
    throw new MemqError("USAGE", "name the event (memq emit --list shows those there are)");
  const params = readParams(pairs, parsed.flag("json-args"));
  const memq = openFor(session, event);
  return parsed.flag("dry-run")
    ? showTasks(session, heardBy(memq.listening, event), { event, params })
    : publishTasks(session, memq, { event, params });
}

/**
 * The configuration, when nothing is wrong with what the event needs of it: half of those who listen is worse than
 * none. @throws MemqError CONFIG_*, EVENT_UNHEARD
 */
function openFor(session: Session, event: string): Memq {
  const { memq, fault, mayBeDeaf, isSpoilt } = session.openSound();
  if (fault === undefined) return memq;
  if (mayBeDeaf) throw fault;
  const queues = heardBy(memq.listening, event).map(({ queue }) => queue ?? memq.queueConfig().name);
  if (queues.some(isSpoilt)) throw fault;
  return memq;
}

/** What the words `k=v` say. @throws MemqError USAGE; ARGS_INVALID for a value that is not JSON */
function readParams(pairs: readonly string[], isJson: boolean): EventParams {
  const params = new Map<string, Json>();
  for (const pair of pairs) {
    const end = pair.indexOf("=");
    const [name, text] = [pair.slice(0, end), pair.slice(end + 1)];
    if (end < 1) throw new MemqError("USAGE", `${JSON.stringify(pair)} is not k=v, such as order_id=FB138`);
    if (params.has(name)) throw new MemqError("USAGE", `${name} stands there twice`);
    params.set(name, isJson ? parseJson(text, name) : text);
  }
  return Object.fromEntries(params);
}

interface Said {
  readonly event: string;
  readonly params: EventParams;
}

async function publishTasks(session: Session, memq: Memq, { event, params }: Said): Promise<number> {
  const key = session.parsed.text("key");
  const emission = await memq.emit(event, params, key === undefined ? {} : { key });
  if (session.parsed.flag("json")) session.print(JSON.stringify(emission));
  else for (const { id } of emission.tasks) session.print(id);
  await warnOfServers(session, emission.tasks);
  return EXIT.ok;
}

async function warnOfServers(session: Session, tasks: readonly EmittedTask[]): Promise<void> {
  for (const queue of new Set(tasks.map((task) => task.queue)))
    await warnOfServer(session, { queue }, "memq emit");
}

function showTasks(session: Session, tasks: readonly EventTask[], { event, params }: Said): Promise<number> {
  for (const task of tasks) {
    const shown = { task: eventTaskText(task), args: [params, event] };
    session.print(session.parsed.flag("json") ? JSON.stringify(shown) : callText(shown));
  }
  return Promise.resolve(EXIT.ok);
}

const callText = ({ task, args }: { readonly task: string; readonly args: readonly Json[] }): string =>
  printable(`${task}: ${args.map((arg) => JSON.stringify(arg)).join(", ")}`);

/** What is listened to, as config.ini says it. */
function listEvents(session: Session): Promise<number> {
  const { parsed } = session;
  assertAlone(parsed);
  const { listening } = session.open();
  const events = listening.map(({ on, tasks }) => ({ on, tasks: tasks.map(eventTaskText) }));
  if (parsed.flag("json")) session.print(JSON.stringify(events));
  else if (events.length === 0) session.say("Nobody listens to any event.");
  else for (const line of columns(events.flatMap(rowsOf))) session.print(line);
  return Promise.resolve(EXIT.ok);
}

function assertAlone({ words }: Parsed): void {
  if (words.length > 0) throw new MemqError("USAGE", "--list takes no event");
}

const rowsOf = ({
  on,
  tasks,
}: {
  readonly on: string;
  readonly tasks: readonly string[];
}): [string, string][] => tasks.map((task, at) => [at === 0 ? printable(on) : "", task]);
