import { MemqError, worstExit } from "../../errors.ts";
import type { Broker } from "../../ports/broker.ts";
import type { TaskRecord } from "../../task/task.ts";
import { complainOfDeeds, countDone, doEach, refusal } from "../deeds.ts";
import { counted } from "../printable.ts";
import { chooseQueues, type Choice } from "../queues.ts";
import { removeAll } from "../removal.ts";
import type { Session } from "../shell.ts";
import { locate, readTarget, type Name } from "../targets.ts";

/** `memq cancel`: removes tasks that are not running. */
export async function cancel(session: Session): Promise<number> {
  const target = readTarget(session.parsed);
  const choice = chooseQueues(session);
  if (target.kind === "all") return removeAll(session, choice, ["waiting", "delayed"]);
  const changed = new Set<Broker>();
  const deeds = await doEach(target.names, async (name) => changed.add(await cancelOne(choice, name)));
  const count = countDone(deeds);
  const exit = complainOfDeeds(session, deeds);
  if (session.parsed.flag("json")) session.print(JSON.stringify({ cancelled: count }));
  else if (count > 0) session.say(`${counted(count, "task")} cancelled.`);
  // It may have been the last that a bulk waited for.
  for (const broker of changed) await broker.bulks.conclude();
  return worstExit([choice.exit, exit]);
}

/** Answers whose task it was. */
async function cancelOne(choice: Choice, name: Name): Promise<Broker> {
  const { queue, record } = await locate(choice, name);
  const broker = await choice.memq.broker(queue.name);
  const answer = await broker.cancel(record.id);
  switch (answer) {
    case "cancelled":
      return broker;
    case "running":
      throw refusal("TASK_RUNNING", name, `${heldText(record)}: it cannot be cancelled now`);
    case "absent": // it ended between the two looks
      throw new MemqError("NOT_FOUND", `no task has the id ${JSON.stringify(record.id)} any more`);
  }
}

/** A task whose holder has ended is not free before a run has looked what became of it. */
function heldText({ holder, at }: TaskRecord): string {
  if (at <= Date.now())
    return `was running when ${holder ?? "the run that held it"} ended, and the next run takes it`;
  return holder === undefined ? "is running" : `is running, held by ${holder}`;
}
