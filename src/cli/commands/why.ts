import { MemqError } from "../../errors.ts";
import { ticksOf } from "../../cron/ticks.ts";
import { locateOrDone, whyDone } from "../done-task.ts";
import { chooseQueues, type Choice } from "../queues.ts";
import { cadenceReader, viewOf } from "../queue-views.ts";
import type { Session } from "../shell.ts";
import { readTarget } from "../targets.ts";
import type { QueuedRecord } from "../task-text.ts";
import { whyText, type Circumstances } from "../why-text.ts";
import { QueueRuns } from "../../host/queue-runs.ts";

/** `memq why`: one paragraph about where a task is, what it waits for, and what would change that. */
export async function why(session: Session): Promise<number> {
  const target = readTarget(session.parsed);
  const [name, ...more] = target.kind === "all" ? [] : target.names;
  if (name === undefined || more.length > 0) throw new MemqError("USAGE", "takes one id, or --key");
  const choice = chooseQueues(session);
  const found = await locateOrDone(choice, name);
  const isDone = "result" in found;
  const text = isDone ? whyDone(found) : whyText(await circumstances(session, choice, found));
  const { id, state } = isDone ? { ...found.result, state: "done" } : found.record;
  const json = { id, queue: found.queue.name, state, why: text };
  session.print(session.parsed.flag("json") ? JSON.stringify(json) : text);
  return choice.exit;
}

async function circumstances(
  { io }: Session,
  { memq }: Choice,
  { queue, record }: QueuedRecord,
): Promise<Circumstances> {
  const broker = await memq.broker(queue.name);
  const depth = await broker.depth();
  const every = await cadenceReader(io.env, memq.config.file)(queue);
  const view = viewOf(queue, { depth, nowMs: Date.now(), every });
  // Asked of one task, it is told even where nothing is known of the runs.
  const nextTick = every.length === 0 ? undefined : ticksOf(every);
  return { queue, record, view: { ...view, nextTick }, holders: holdersOf(queue) };
}

function holdersOf({ name, storePath }: QueuedRecord["queue"]): Circumstances["holders"] {
  try {
    return new QueueRuns({ storePath, queue: name }).working();
  } catch {
    return []; // who works is a comment, not the answer
  }
}
