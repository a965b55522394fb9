import { EXIT, MemqError, worstExit } from "../errors.ts";
import type { Depth } from "../ports/broker.ts";
import type { TaskState } from "../task/task.ts";
import { hasConsent } from "./consent.ts";
import { counted } from "./printable.ts";
import type { Choice } from "./queues.ts";
import type { Session } from "./shell.ts";

/** The states whose tasks can be removed at once. */
export type Removable = Exclude<TaskState, "running">;

/** Removes every task of one queue in these states: counts them, asks, does it, says how many. */
export async function removeAll(
  session: Session,
  choice: Choice,
  states: readonly Removable[],
): Promise<number> {
  const queue = onlyQueue(session, choice);
  const broker = await choice.memq.broker(queue);
  const depth = await broker.depth();
  if (total(depth, states) > 0) {
    const what = states.map((state) => counted(depth[state], NOUNS[state])).join(", ");
    if (!(await hasConsent(session, `Remove ${what} from queue ${queue}?`))) return EXIT.ok;
  }
  const removed = await broker.purge(states);
  if (session.parsed.flag("json")) session.print(JSON.stringify({ removed }));
  else session.say(`${counted(removed, "task")} removed from queue ${queue}.`);
  if (removed > 0) await broker.bulks.conclude(); // it may have been the last that a bulk waited for
  return worstExit([choice.exit]);
}

const NOUNS: Readonly<Record<Removable, string>> = {
  waiting: "waiting task",
  delayed: "delayed task",
  dead: "dead letter",
};

const total = (depth: Depth, states: readonly Removable[]): number =>
  states.reduce((sum, state) => sum + depth[state], 0);

/** What is removed is gone: of several queues, which one is said and not guessed. */
function onlyQueue({ parsed }: Session, { queues, exit }: Choice): string {
  const [first, second] = queues;
  // With a fault there may be queues that nobody can see now.
  if (parsed.text("queue") !== undefined || (second === undefined && exit === EXIT.ok)) return first.name;
  const names = queues.map(({ name }) => name).join(", ");
  throw new MemqError("USAGE", `say with --queue which queue is meant (${names})`);
}
