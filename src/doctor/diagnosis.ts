import type { QueueConfig } from "../config/config.ts";
import { MemqError } from "../errors.ts";
import type { Examiner, Memq } from "../memq.ts";
import type { FolderExamination } from "../ports/examination.ts";
import { judgeConsumers, type Consumers } from "./consumers.ts";
import { judgeFolder, judgeStore } from "./folder.ts";
import { judgeNode, judgeSqlite } from "./machine.ts";
import { judgeHandlers, judgeLog, judgeSecret } from "./queue-settings.ts";
import { withTold } from "./queue-trace.ts";
import { diagnoseServer, serversOf } from "./server-diagnosis.ts";
import { failed, type Diagnosis, type Verdict } from "./verdict.ts";

/** What is looked over. */
export interface Patient {
  readonly memq: Memq;
  readonly queues: readonly QueueConfig[];
  readonly examiner: Examiner;
  /** Why a log could not be written; undefined: it could. */
  readonly logFault: (path: string) => string | undefined;
  /** The losses that runs and workers of this host have told of lately, for people. */
  readonly toldLosses: (queue: QueueConfig) => readonly string[];
  /** Who takes the queue's tasks on this host. Undefined: this host may not tell. */
  readonly consumers: (queue: QueueConfig) => Promise<Consumers | undefined>;
  /** Ms since 1970. */
  readonly now: () => number;
}

/** Looks everything over that the queues need. Changes nothing in a queue, and ends with what it found, whatever that is. */
export async function diagnose(patient: Patient): Promise<readonly Diagnosis[]> {
  const { queues, examiner, now } = patient;
  // First: what is opened later leaves files of its own.
  const folders = await diagnoseFolders(patient);
  const servers = await Promise.all(serversOf(queues).map((group) => diagnoseServer(group, examiner, now)));
  const traces = new Map(servers.flatMap((server) => [...server.traces]));
  const found: Diagnosis[] = [];
  // One after the other: the handlers of a queue are somebody's code, and may mind being loaded side by side.
  for (const queue of queues) found.push(await diagnoseQueue(queue, patient, traces.get(queue.name)));
  return [...found, ...servers.map(({ diagnosis }) => diagnosis), ...folders];
}

/** Node.js and SQLite; `queues` undefined: the configuration does not tell. */
export async function diagnoseMachine(
  examiner: Examiner,
  queues: readonly QueueConfig[] | undefined,
): Promise<Diagnosis> {
  const needsSqlite = queues === undefined || queues.some(({ server }) => server === undefined);
  const sqlite = await attempted(() => examiner.sqlite());
  const verdicts = [judgeNode(process.version), judgeSqlite(sqlite, needsSqlite)];
  return { about: "this machine", verdicts };
}

async function diagnoseQueue(
  queue: QueueConfig,
  patient: Patient,
  trace: Verdict | undefined,
): Promise<Diagnosis> {
  const { memq, logFault, toldLosses } = patient;
  const log = queue.log === undefined ? undefined : judgeLog(queue.log, logFault(queue.log));
  const verdicts = [
    await handlers(queue, memq),
    judgeSecret(queue.secret),
    log,
    trace && withTold(trace, toldLosses(queue)),
    ...(await consumers(queue, patient)),
  ];
  return { about: `queue ${queue.name}`, verdicts: verdicts.flatMap((verdict) => verdict ?? []) };
}

async function handlers({ name }: QueueConfig, memq: Memq): Promise<Verdict> {
  const registry = await attempted(() => memq.registry(name));
  if (registry instanceof MemqError) return failed("handlers", registry.code, registry.message);
  const classes = registry.classNames.map((name) => ({ name, methods: registry.methods(name).length }));
  return judgeHandlers(classes);
}

async function consumers(queue: QueueConfig, patient: Patient): Promise<readonly Verdict[]> {
  const { memq, examiner, now } = patient;
  const known = await patient.consumers(queue);
  if (known === undefined) return [];
  const depth = await attempted(async () => {
    // To open a store that is not there would make it.
    const isThere = queue.server !== undefined || (await examiner.folder(queue.storePath)).hasStore;
    return isThere ? (await memq.broker(queue.name)).depth() : undefined;
  });
  return judgeConsumers(known, depth instanceof MemqError ? undefined : depth, now());
}

async function diagnoseFolders({ queues, memq, examiner }: Patient): Promise<readonly Diagnosis[]> {
  const found: Diagnosis[] = [];
  for (const path of new Set(queues.map(({ storePath }) => storePath))) {
    const kept = queues.find((queue) => queue.storePath === path && queue.server === undefined);
    const folder = await attempted(() => examiner.folder(path));
    const verdicts =
      folder instanceof MemqError
        ? [failed("folder", folder.code, folder.message)]
        : await judgeWithStore(folder, kept, memq);
    found.push({ about: `store ${path}`, verdicts });
  }
  return found;
}

/** `kept`: a queue whose tasks are in that folder, if there is one. */
async function judgeWithStore(
  folder: FolderExamination,
  kept: QueueConfig | undefined,
  memq: Memq,
): Promise<readonly Verdict[]> {
  const verdicts = judgeFolder(folder, kept !== undefined);
  // To open a store that is not there would make it.
  return folder.hasStore && kept !== undefined ? [...verdicts, await store(kept, memq)] : verdicts;
}

async function store({ name }: QueueConfig, memq: Memq): Promise<Verdict> {
  const depth = await attempted(async () => (await memq.broker(name)).depth());
  return judgeStore(depth instanceof MemqError ? depth : undefined);
}

async function attempted<T>(work: () => Promise<T>): Promise<T | MemqError> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof MemqError) return error;
    throw error;
  }
}
