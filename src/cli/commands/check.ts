import { EXIT, worstExit } from "../../errors.ts";
import { tellFailures } from "../failures.ts";
import { mindLateStrays } from "../late-strays.ts";
import { assertNoWords } from "../options.ts";
import { counted } from "../printable.ts";
import {
  checkJson,
  checkLines,
  checkQueue,
  exitOfCheck,
  verdictText,
  type QueueCheck,
} from "../queue-check.ts";
import { chooseQueues, type Choice } from "../queues.ts";
import type { Session } from "../shell.ts";

/** `memq check`: tries the configuration, the handlers and the brokers, and looks at the tasks that wait. */
export async function check(session: Session): Promise<number> {
  assertNoWords(session.parsed);
  const choice = chooseQueues(session);
  // Handlers that read files when they are loaded find them as in a run.
  process.chdir(choice.memq.config.folder);
  mindLateStrays(session);
  const checks: QueueCheck[] = [];
  for (const queue of choice.queues) checks.push(await checkQueue(choice.memq, queue));
  const exit = worstExit([choice.exit, ...checks.map(exitOfCheck)]);
  if (session.parsed.flag("json"))
    session.print(JSON.stringify({ ok: exit === EXIT.ok, queues: checks.map(checkJson) }));
  else tell(session, choice, checks);
  return exit;
}

function tell(session: Session, { faultCount }: Choice, checks: readonly QueueCheck[]): void {
  for (const one of checks) session.print(checkLines(one).join("\n"));
  const failures = checks.flatMap(({ queue, errors }) =>
    errors.map((error) => ({ name: queue.name, error })),
  );
  const verdicts = checks.flatMap(({ queue, survey }) =>
    (survey?.verdicts ?? []).map((verdict) => `memq check: queue "${queue.name}": ${verdictText(verdict)}`),
  );
  const problems = faultCount + tellFailures(session, "queue", failures) + verdicts.length;
  for (const verdict of verdicts) session.complain(verdict);
  session.say(problems === 0 ? "Everything is in order." : `${counted(problems, "problem")} found.`);
}
