import { openSync, closeSync } from "node:fs";
import { describeError, EXIT, MemqError } from "../errors.ts";
import { Obituaries, type Obituary, type RiskyTask } from "../host/obituaries.ts";
import { QueueWorkers } from "../host/queue-workers.ts";
import { takeWorkPost } from "../host/work-post.ts";
import { systemClock } from "../ports/clock.ts";
import { Supervisor } from "../run/supervisor.ts";
import { mindIdleMemory } from "./idle-memory.ts";
import { isWatched } from "./io.ts";
import { minuteWork } from "./minute-work.ts";
import { everyMinute } from "./minutes.ts";
import { wholeNumber } from "./option-values.ts";
import { counted } from "./printable.ts";
import type { Session } from "./shell.ts";
import { chooseSound, type SoundQueues } from "./sound-queues.ts";
import { workerArgs, workOptions } from "./work-options.ts";
import { startWorker, type StartedWorker } from "./worker-process.ts";

/** Keeps workers alive until it is told to end. Runs none of the user's code itself. */
export async function keepWorkers(session: Session): Promise<number> {
  const processes = processesOf(session);
  workOptions(session);
  const sound = chooseSound(session);
  const post = await takeWorkPost(postOf(sound), { alone: session.parsed.flag("if-not-running") });
  if (post === undefined) return EXIT.ok;
  try {
    if (sound.fault !== undefined) session.complainOf(sound.fault);
    return await new Shift(session, sound).work(processes);
  } finally {
    post.release();
  }
}

// Each takes some 50 MB and an event loop: more than that is a slip of the hand. A process can run many tasks at a time.
const MOST_PROCESSES = 512;

function processesOf({ parsed }: Session): number {
  const processes = wholeNumber(parsed, "processes", 1) ?? 1;
  if (processes <= MOST_PROCESSES) return processes;
  const most = `the most is ${String(MOST_PROCESSES)} (--concurrency runs several tasks at a time in each)`;
  throw new MemqError("USAGE", `--processes ${String(processes)} is too many, ${most}`);
}

function postOf({ memq, queues, asked }: SoundQueues): Parameters<typeof takeWorkPost>[0] {
  const { file = memq.config.folder } = memq.config;
  return { storePath: memq.queueConfig(queues[0]).storePath, configFile: file, queues: asked };
}

const UNFIT =
  "a new worker could not begin in its place, the old ones go on: mend what it said (memq check), and send SIGHUP again";

// How long a handler may block a worker beyond what it said.
const LOOK_MS = 500;

/** A parent at work. */
class Shift {
  readonly #session: Session;
  readonly #supervisor: (processes: number) => Supervisor;
  readonly #hadTerminal: boolean;
  readonly #workers = new Set<StartedWorker>();
  #sound: SoundQueues;

  constructor(session: Session, sound: SoundQueues) {
    this.#session = session;
    this.#sound = sound;
    this.#hadTerminal = session.io.stdin.isTTY === true;
    const args = workerArgs(session);
    const { io } = session;
    const tookMemory = mindIdleMemory(workOptions(session).maxMemoryBytes, this.#complain);
    this.#supervisor = (processes) =>
      new Supervisor({
        processes,
        start: () => {
          const stderr = (text: string): void => void io.stderr.write(text);
          const worker = startWorker({ args, io, stderr, tookMemory, died: this.#died });
          this.#workers.add(worker);
          void worker.ended.then(() => this.#workers.delete(worker));
          return worker;
        },
        complain: this.#complain,
        clock: systemClock,
      });
  }

  async work(processes: number): Promise<number> {
    const supervisor = this.#supervisor(processes);
    const releaseSignals = this.#mindSignals(supervisor);
    const looking = setInterval(() => void this.#endStuck(), LOOK_MS);
    const schedules = minuteWork(this.#session, "memq work", this.#sound.queues);
    const stopTicking = everyMinute(() => void schedules.look());
    void schedules.look();
    if (isWatched(this.#session.io)) {
      const { queues } = this.#sound;
      this.#session.say(`memq work: ${counted(processes, "worker")} on ${queues.join(", ")}`);
    }
    try {
      return await supervisor.run();
    } finally {
      stopTicking();
      clearInterval(looking);
      releaseSignals();
      await schedules.ended();
    }
  }

  readonly #complain = (line: string): void => {
    this.#session.complain(`memq work: ${line}`);
  };

  /** What is known of the death goes into the error of the task, should that have been its last attempt. */
  readonly #died = (task: RiskyTask, obituary: Obituary): void => {
    try {
      new Obituaries(this.#sound.memq.queueConfig(task.queue).storePath).write(task, obituary);
    } catch (error) {
      this.#complain(`how the process of task ${task.id} ended cannot be kept: ${describeError(error)}`);
    }
  };

  readonly #onStuck = (pid: number): void => {
    for (const worker of this.#workers) if (worker.pid === pid) worker.isStuck();
  };

  /** Also those whose parent is gone: nobody else ends them. */
  async #endStuck(): Promise<void> {
    const { memq, queues } = this.#sound;
    for (const name of queues) {
      const { storePath } = memq.queueConfig(name);
      try {
        const stuck = await new QueueWorkers({ storePath, queue: name }).endStuck({ onStuck: this.#onStuck });
        for (const { name: who, fault } of stuck) {
          const end = fault === undefined ? "was ended with SIGKILL" : `cannot be ended: ${fault}`;
          this.#complain(`worker ${who} did not come back from a handler that blocks, and ${end}`);
        }
      } catch (error) {
        this.#complain(`the workers of queue "${name}" cannot be seen: ${describeError(error)}`);
      }
    }
  }

  #mindSignals(supervisor: Supervisor): () => void {
    let isEnding = false;
    const end = (signal: NodeJS.Signals): void => {
      if (isEnding) {
        supervisor.kill();
        return;
      }
      isEnding = true;
      if (isWatched(this.#session.io))
        this.#session.say(
          `memq work: ${signal}: finishing what runs, handing back the rest (once more to end at once)`,
        );
      supervisor.end();
    };
    const hangUp = (signal: NodeJS.Signals): void => {
      if (this.#hadTerminal && !hasTerminal()) end(signal);
      else void this.#reload(supervisor);
    };
    process.on("SIGTERM", end).on("SIGINT", end).on("SIGHUP", hangUp);
    return () => {
      process.off("SIGTERM", end).off("SIGINT", end).off("SIGHUP", hangUp);
    };
  }

  /** What is wrong with the new config.ini or the new handlers leaves the workers as they are. */
  async #reload(supervisor: Supervisor): Promise<void> {
    try {
      const sound = chooseSound(this.#session);
      const { fault } = sound;
      if (fault !== undefined && this.#sound.queues.some((queue) => !sound.queues.includes(queue)))
        throw fault;
      if (fault !== undefined) this.#session.complainOf(fault);
      const end = await supervisor.reload();
      if (end !== "unfit") this.#sound = sound;
      if (end === "unfit") this.#complain(UNFIT);
      if (end === "replaced" && isWatched(this.#session.io))
        this.#session.say("memq work: the workers were replaced");
    } catch (error) {
      if (!(error instanceof MemqError)) throw error;
      this.#session.complainOf(error, "the workers go on as they are");
    }
  }
}

/** A terminal that was closed sends the same signal as somebody who wants the handlers loaded anew. */
function hasTerminal(): boolean {
  try {
    closeSync(openSync("/dev/tty", "r+"));
    return true;
  } catch {
    return false;
  }
}
