import { CRON, cronTimes } from "../config/cadence.ts";
import { timesInWords } from "../cron/times-in-words.ts";
import { EXIT, MemqError } from "../errors.ts";
import type { Memq } from "../memq.ts";
import { Metronome } from "../schedule/metronome.ts";
import { calendarOf } from "../schedule/schedule.ts";
import { zoneOf } from "../schedule/zone.ts";
import { launchRun, withoutOption } from "./child-run.ts";
import { minuteWork } from "./minute-work.ts";
import { everyMinute } from "./minutes.ts";
import type { Parsed } from "./options.ts";
import { localTime } from "../telemetry/local-time.ts";
import { Residence } from "./residence.ts";
import { soon } from "./schedules.ts";
import type { Session } from "./shell.ts";
import { awaitSignal } from "./signals.ts";

/** What a resident `runjobs` starts. */
export interface Stay {
  /** The command line; runs get it without `--cron`. */
  readonly argv: readonly string[];
  readonly cron: string;
  readonly memq: Memq;
  readonly queues: readonly string[];
  /** Runs of a queue at a time, instead of the queue's. */
  readonly maxRuns?: number;
}

/** The expression of `--cron`. @throws MemqError USAGE with the field that is wrong. */
export function readCron(parsed: Parsed): string {
  const text = parsed.text("cron") ?? "";
  const reading = CRON.read(text);
  if ("value" in reading) return reading.value;
  throw new MemqError("USAGE", `--cron ${JSON.stringify(text)} ${reading.fault}`);
}

/**
 * `runjobs --cron`: stays, and starts a run whenever the expression is due, for places without a cron daemon.
 * Ends after the runs under way, when it is asked to by a signal.
 */
export async function stayResident(session: Session, stay: Stay): Promise<number> {
  const { io, parsed } = session;
  const isWatched = io.stderr.isTTY === true || parsed.flag("verbose");
  const say = isWatched ? session.say : (): void => undefined;
  const metronome = new Metronome(calendarOf(stay.cron, zoneOf(undefined)), Date.now());
  const args = withoutOption(stay.argv, "--cron");
  const residence = new Residence({
    metronome,
    // The cadence is known here, whatever config.ini says: late runs and covering ones go by it.
    launch: () => launchRun({ args, env: { ...io.env, MEMQ_EVERY: stay.cron }, io }),
    mostRuns: mostRuns(stay),
    say,
    complain: session.complain,
  });
  const schedules = minuteWork(session, "runjobs", stay.queues);
  const stopTicking = everyMinute(() => {
    const nowMs = Date.now();
    // First what is due is published, so that the run finds it.
    void soon(schedules.look()).then(() => {
      residence.tick(nowMs);
    });
  });
  const signalled = awaitSignal((again) => void residence.end(again));
  say(
    `runjobs: starts a run ${wordsOf(stay.cron)}; the next at ${localTime(metronome.next(Date.now()) ?? NaN)}`,
  );
  const signal = await signalled;
  stopTicking();
  say(
    `runjobs: ${signal}: starting no more runs, waiting for those under way (once more to end them at once)`,
  );
  await Promise.all([residence.end(signal), schedules.ended()]);
  return EXIT.ok;
}

const wordsOf = (cron: string): string => {
  const times = cronTimes(cron);
  return times === undefined ? cron : timesInWords(times);
};

/** With so many at work, or waiting for what falls due, every slot of every queue is taken. */
function mostRuns({ memq, queues, maxRuns }: Stay): number {
  const slots = queues.map((name) => maxRuns ?? memq.queueConfig(name).maxRuns);
  return slots.reduce((sum, count) => sum + count + 1, 0);
}
