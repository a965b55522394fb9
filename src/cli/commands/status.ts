import { EXIT, MemqError, worstExit, type ExitCode } from "../../errors.ts";
import { warningsOf } from "../../telemetry/warnings.ts";
import type { Broker } from "../../ports/broker.ts";
import { assertNoWords } from "../options.ts";
import { lateText, type QueueView, type UnderWayTask } from "../queue-outlook.ts";
import { cadenceReader, viewOf } from "../queue-views.ts";
import { askQueues, chooseQueues, complainOfQueues, type Choice } from "../queues.ts";
import type { Session } from "../shell.ts";
import { statusJson, statusText, type Status } from "../status-text.ts";

/** `memq status`: what matters, and the depth of every queue. One that cannot be asked is named, the others are shown. */
export async function status(session: Session): Promise<number> {
  assertNoWords(session.parsed);
  const { parsed } = session;
  if (parsed.flag("check") && parsed.flag("watch")) {
    throw new MemqError("USAGE", "--check and --watch exclude each other");
  }
  const choice = chooseQueues(session);
  const everyOf = cadenceReader(session.io.env, choice.memq.config.file);
  const look = (): Promise<Status> => lookAt(choice, everyOf);
  if (parsed.flag("watch")) return (await import("../status-watch.ts")).watch(session, look);
  const found = await look();
  const exit = worstExit([choice.exit, complainOfQueues(session, found.views.failures)]);
  if (parsed.flag("check")) return worstExit([exit, check(session, found)]);
  session.print(parsed.flag("json") ? JSON.stringify(statusJson(found)) : statusText(found, session.io));
  return exit;
}

async function lookAt({ memq, queues }: Choice, everyOf: ReturnType<typeof cadenceReader>): Promise<Status> {
  const views = await askQueues(memq, queues, async (broker, queue) => {
    const [depth, every] = await Promise.all([broker.depth(), everyOf(queue)]);
    const losses = await broker.losses({ keep: true });
    const underWay = depth.running === 0 ? [] : await underWayAt(broker);
    return viewOf(queue, { depth, nowMs: Date.now(), every, losses, underWay });
  });
  return { queues, views, nowMs: Date.now() };
}

// More say nothing that could be read.
const MOST_UNDER_WAY = 100;

async function underWayAt(broker: Broker): Promise<readonly UnderWayTask[]> {
  const { tasks } = await broker.list("running", { limit: MOST_UNDER_WAY });
  const said = await broker.results.progress(tasks.map(({ id }) => id));
  return tasks.flatMap((record) => {
    const progress = said.get(record.id);
    return progress === undefined ? [] : [{ record, progress }];
  });
}

const lateTexts = (view: QueueView): readonly string[] => [lateText(view)].flatMap((text) => text ?? []);

/** Says only what is past a limit: cron, or a monitor, minds the exit code. */
function check(session: Session, { views }: Status): ExitCode {
  const warnings = views.answers.flatMap(({ queue, value }) =>
    [...warningsOf(value.depth, queue.warn, value.nowMs), ...lateTexts(value)].map((text) => ({
      queue: queue.name,
      text,
    })),
  );
  if (session.parsed.flag("json")) session.print(JSON.stringify({ warnings }));
  else for (const { queue, text } of warnings) session.print(`${queue}: ${text}`);
  return warnings.length === 0 ? EXIT.ok : EXIT.deadLetters;
}
