import type { QueueConfig, ServerConfig } from "../config/config.ts";
import { MemqError } from "../errors.ts";
import type { Examiner } from "../memq.ts";
import type { QueueTrace, ServerExamination } from "../ports/examination.ts";
import { judgeTrace, type Moment } from "./queue-trace.ts";
import { judgeClock } from "./server-clock.ts";
import { judgeHealth } from "./server-health.ts";
import { judgeRoom } from "./server-room.ts";
import { judgeSettings } from "./server-settings.ts";
import { numberOf } from "./server-stats.ts";
import { judgeTrial } from "./server-trial.ts";
import { failed, ok, type Diagnosis, type Verdict } from "./verdict.ts";

/** A server, and the queues that it keeps. */
export interface ServerOfQueues {
  readonly server: ServerConfig;
  readonly queues: readonly QueueConfig[];
}

/** What was found out about a server, and by the way about its queues. */
export interface ServerDiagnosis {
  readonly diagnosis: Diagnosis;
  /** By the name of the queue; none when the server cannot be reached. */
  readonly traces: ReadonlyMap<string, Verdict>;
}

/** The servers of the queues, each once. */
export function serversOf(queues: readonly QueueConfig[]): readonly ServerOfQueues[] {
  const groups = new Map<string, { readonly server: ServerConfig; readonly queues: QueueConfig[] }>();
  for (const queue of queues) {
    const { server } = queue;
    if (server === undefined) continue;
    const name = JSON.stringify([server.host, server.port, server.username, server.password]);
    const group = groups.get(name) ?? { server, queues: [] };
    group.queues.push(queue);
    groups.set(name, group);
  }
  return [...groups.values()];
}

/** Examines a server and judges it. A server that cannot be reached is a finding like any other. */
export async function diagnoseServer(
  { server, queues }: ServerOfQueues,
  examiner: Examiner,
  now: () => number,
): Promise<ServerDiagnosis> {
  const about = `memcached ${server.host}:${String(server.port)}`;
  try {
    const found = await examiner.server(server, now);
    const moment = momentOf(found, now());
    const traces = new Map<string, Verdict>();
    for (const queue of queues) traces.set(queue.name, judgeTrace(await traceOf(queue, examiner), moment));
    return { diagnosis: { about, verdicts: judgeServer(found, queues) }, traces };
  } catch (error) {
    if (!(error instanceof MemqError)) throw error;
    const verdicts = [failed("reach", error.code, error.message)];
    return { diagnosis: { about, verdicts }, traces: new Map() };
  }
}

const traceOf = (queue: QueueConfig, examiner: Examiner): Promise<QueueTrace> => examiner.trace(queue);

function judgeServer(found: ServerExamination, queues: readonly QueueConfig[]): readonly Verdict[] {
  const demands = {
    maxTaskBytes: Math.max(...queues.map(({ maxTaskBytes }) => maxTaskBytes)),
    signsIn: queues.some(({ server }) => server?.username !== undefined),
  };
  return [
    ok("reach", "it answers"),
    judgeTrial(found.trial),
    ...judgeSettings(found.stats.settings, demands),
    ...judgeHealth(found.stats),
    ...[judgeRoom(found.stats, found.needs), judgeClock(found)].flatMap((verdict) => verdict ?? []),
  ];
}

function momentOf({ stats, clock }: ServerExamination, nowMs: number): Moment {
  const uptime = numberOf(stats.general, "uptime");
  const thrownAway = numberOf(stats.general, "evictions");
  return {
    nowMs,
    ...(thrownAway !== undefined && { thrownAway }),
    ...(uptime !== undefined && { serverStartedAt: clock.answeredAt - uptime * 1_000 }),
  };
}
