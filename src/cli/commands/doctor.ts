import type { QueueConfig } from "../../config/config.ts";
import { describeFault } from "../../config/fault.ts";
import { inspectConfig } from "../../config/load.ts";
import type { Consumers } from "../../doctor/consumers.ts";
import { judgeConfiguration } from "../../doctor/configuration.ts";
import { diagnose, diagnoseMachine } from "../../doctor/diagnosis.ts";
import { exitOf, failed, type Diagnosis } from "../../doctor/verdict.ts";
import { MemqError } from "../../errors.ts";
import { examiner } from "../../memq.ts";
import { logFault } from "../../telemetry/log-file.ts";
import { configPlace } from "../configuration.ts";
import { diagnosisJson, diagnosisLines, summaryLine } from "../doctor-lines.ts";
import { mindLateStrays } from "../late-strays.ts";
import { assertNoWords } from "../options.ts";
import { cadenceReader, consumersOf, toldLosses } from "../queue-views.ts";
import type { Session } from "../shell.ts";

/** `memq doctor`: looks over what the queues need, and says what to do about what is wrong. */
export async function doctor(session: Session): Promise<number> {
  const { parsed, io, print, say } = session;
  assertNoWords(parsed);
  if (parsed.flag("as-cron")) return (await import("../doctor-as-cron.ts")).doctorAsCron(session);
  const diagnoses = await lookOver(session);
  if (parsed.flag("json")) print(JSON.stringify(diagnosisJson(diagnoses)));
  else {
    print(diagnosisLines(diagnoses, io).join("\n"));
    say(summaryLine(diagnoses));
  }
  return exitOf(diagnoses);
}

/** Where the configuration cannot be used, the machine is looked over all the same. */
async function lookOver(session: Session): Promise<readonly Diagnosis[]> {
  let read: Diagnosis;
  try {
    read = readConfiguration(session);
  } catch (error) {
    if (!(error instanceof MemqError) || error.code === "USAGE") throw error;
    read = { about: "configuration", verdicts: [failed("config", error.code, error.message)] };
  }
  const sound = soundQueues(session, read);
  const machine = await diagnoseMachine(examiner, sound?.queues);
  if (sound === undefined) return [machine, read];
  // Handlers that read files when they are loaded find them as in a run.
  process.chdir(sound.memq.config.folder);
  mindLateStrays(session);
  const everyOf = cadenceReader(session.io.env, sound.memq.config.file);
  const consumers = async (queue: QueueConfig): Promise<Consumers | undefined> =>
    consumersOf(queue, await everyOf(queue), Date.now());
  const patient = { ...sound, examiner, logFault, toldLosses, consumers, now: () => Date.now() };
  return [machine, read, ...(await diagnose(patient))];
}

function readConfiguration({ parsed, io }: Session): Diagnosis {
  const { config, faults } = inspectConfig(configPlace(parsed, io));
  return judgeConfiguration({
    file: config?.file,
    faults: faults.map(describeFault),
    queues: config?.queues.map(({ name }) => name) ?? [],
  });
}

type Sound = Pick<Parameters<typeof diagnose>[0], "memq" | "queues">;

/** The queue of --queue, else every queue without fault; undefined when nothing of the configuration can be used. */
function soundQueues(session: Session, read: Diagnosis): Sound | undefined {
  const named = session.parsed.text("queue");
  try {
    const { memq, isSpoilt } = session.openSound();
    if (named === undefined) return { memq, queues: memq.config.queues };
    return { memq, queues: isSpoilt(named) ? [] : [memq.queueConfig(named)] };
  } catch (error) {
    const isTold = read.verdicts.some(({ verdict }) => verdict === "fail");
    if (error instanceof MemqError && error.code !== "USAGE" && isTold) return undefined;
    throw error;
  }
}
