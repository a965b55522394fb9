import type { QueueConfig } from "../config/config.ts";
import type { Broker } from "../ports/broker.ts";
import type { Registry } from "../run/registry.ts";
import type { TaskRecord, TaskState } from "../task/task.ts";

/** Tasks of a queue that would fail for one reason. */
export interface Verdict {
  /** What a run would say of them. */
  readonly why: string;
  readonly count: number;
  /** One of them, to look at. */
  readonly example: string;
}

/** What looking at a queue's tasks came to. */
export interface TaskSurvey {
  readonly seen: number;
  /** There are more than one wants to look at. */
  readonly isSample: boolean;
  readonly verdicts: readonly Verdict[];
}

// Enough to find what is wrong with a queue; reading a million tasks would take longer than a run.
const MOST_SEEN = 1_000;
// Held in memory at a time; each may be as large as max-size.
const PAGE = 100;

/** Looks whether the tasks that wait can be run, the oldest first, without taking them. */
export async function surveyTasks(
  broker: Broker,
  queue: QueueConfig,
  registry: Registry,
): Promise<TaskSurvey> {
  const verdicts = new Map<string, Verdict>();
  let seen = 0;
  const judge = (record: TaskRecord): void => {
    seen++;
    add(verdicts, record, whyNot(record, queue, registry));
  };
  const complete = [await lookAt(broker, "waiting", judge), await lookAt(broker, "delayed", judge)];
  return { seen, isSample: complete.includes(false), verdicts: [...verdicts.values()] };
}

/** Shows up to `MOST_SEEN` tasks of a state; false when there are more. */
async function lookAt(
  broker: Broker,
  state: TaskState,
  judge: (record: TaskRecord) => void,
): Promise<boolean> {
  let after: string | undefined;
  for (let seen = 0; seen < MOST_SEEN; seen += PAGE) {
    const page = await broker.list(state, { limit: PAGE, ...(after !== undefined && { after }) });
    page.tasks.forEach(judge);
    after = page.next;
    if (after === undefined) return true;
  }
  return false;
}

/** Why a run could not run the task; undefined when it can. */
function whyNot({ task, fault }: TaskRecord, queue: QueueConfig, registry: Registry): string | undefined {
  if (task === undefined) return fault ?? "it was written by a newer memq";
  const target = registry.target(task.class ?? queue.className, task.method);
  return typeof target === "string" ? target : undefined;
}

function add(verdicts: Map<string, Verdict>, { id }: TaskRecord, why: string | undefined): void {
  if (why === undefined) return;
  const known = verdicts.get(why);
  verdicts.set(why, { why, count: (known?.count ?? 0) + 1, example: known?.example ?? id });
}
