import { EXIT, MemqError, worstExit, type ExitCode } from "../../errors.ts";
import { hasConsent } from "../consent.ts";
import { complainOfDeeds, countDone, doEach, refusal } from "../deeds.ts";
import { counted } from "../printable.ts";
import { askQueues, chooseQueues, complainOfQueues, type Choice } from "../queues.ts";
import type { Session } from "../shell.ts";
import { locate, nameText, readTarget, type Name } from "../targets.ts";
import { total, totalText } from "../totals.ts";

/** `memq retry`: puts dead letters back as waiting, with fresh attempts. */
export async function retry(session: Session): Promise<number> {
  const target = readTarget(session.parsed);
  const choice = chooseQueues(session);
  if (target.kind === "all") return retryAll(session, choice);
  const deeds = await doEach(target.names, (name) => putBack(choice, name));
  const exit = complainOfDeeds(session, deeds);
  tell(session, countDone(deeds), exit);
  return worstExit([choice.exit, exit]);
}

async function putBack(choice: Choice, name: Name): Promise<void> {
  const { queue, record } = await locate(choice, name);
  if (record.state !== "dead") {
    throw refusal("NOT_DEAD", name, `is ${record.state}, not dead: there is nothing to put back`);
  }
  const broker = await choice.memq.broker(queue.name);
  if ((await broker.putBack([record.id])) > 0) return;
  const why = "was not put back: its key belongs to an unfinished task by now, or it is gone";
  throw new MemqError("DUPLICATE", `${nameText(name)} ${why}`, {
    next: "Put it back when that task has ended: memq show --key tells where it is.",
  });
}

async function retryAll(session: Session, choice: Choice): Promise<number> {
  const { memq, queues } = choice;
  const dead = await askQueues(memq, queues, async (broker) => (await broker.depth()).dead);
  const exit = worstExit([choice.exit, complainOfQueues(session, dead.failures)]);
  const wanted = dead.answers.filter(({ value }) => value > 0);
  if (wanted.length > 0) {
    const question = `Put ${totalText(wanted, "dead letter")} back?`;
    if (!(await hasConsent(session, question))) return exit;
  }
  const done = await askQueues(
    memq,
    wanted.map(({ queue }) => queue),
    (broker) => broker.putBack("all"),
  );
  tell(session, total(done.answers), EXIT.ok);
  const stuck = total(wanted) - total(done.answers);
  if (stuck > 0 && done.failures.length === 0) {
    session.say(`${counted(stuck, "dead letter")} stayed: a key belongs to an unfinished task by now.`);
  }
  return worstExit([exit, complainOfQueues(session, done.failures)]);
}

function tell(session: Session, count: number, exit: ExitCode): void {
  if (session.parsed.flag("json")) session.print(JSON.stringify({ putBack: count }));
  else if (count > 0 || exit === EXIT.ok) session.say(`${counted(count, "dead letter")} put back.`);
}
