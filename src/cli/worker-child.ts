import { MemqError } from "../errors.ts";
import type { WorkOptions } from "../memq.ts";
import type { Listener } from "../telemetry/events.ts";
import { RateLimit } from "../telemetry/rate-limit.ts";
import { mindLateStrays } from "./late-strays.ts";
import { eventLine, likeness } from "./run-lines.ts";
import type { Session } from "./shell.ts";
import { chooseSound } from "./sound-queues.ts";
import { workOptions } from "./work-options.ts";
import { readMessage, WORKER_VARIABLE, type FromWorker } from "./worker-messages.ts";

// What was said often enough is news again after this time.
const SILENCE_MS = 600_000;

/** A worker's process: works until its parent says otherwise, or is gone. What is wrong with config.ini the parent tells. */
export async function workAsChild(session: Session): Promise<number> {
  process.env[WORKER_VARIABLE] = ""; // what handlers start is no worker
  const { memq, queues } = chooseSound(session);
  const options = workOptions(session);
  process.chdir(memq.config.folder);
  mindLateStrays(session);
  const { listener, end } = voice(session);
  const place = { queues, listener, say: session.complain, ownsProcess: true };
  const report = await memq.work({ ...options, ...obeying(), ...reporting(), ...place });
  end();
  for (const { queue, failure } of report.queues) {
    if (failure !== undefined)
      session.complainOf(new MemqError(failure.code, failure.message), `queue "${queue}"`);
  }
  return report.exit;
}

/** Says what goes wrong, and of what goes wrong again and again the first few in ten minutes. */
function voice({ parsed, complain }: Session): { readonly listener: Listener; readonly end: () => void } {
  const verbose = parsed.flag("verbose");
  const limited = new RateLimit(complain);
  const speaking = setInterval(() => {
    limited.end();
  }, SILENCE_MS);
  return {
    listener: (event) => {
      const line = eventLine(event, verbose, Date.now());
      if (line === undefined) return;
      if (verbose) complain(line);
      else limited.say({ line, ...likeness(event) });
    },
    end: () => {
      clearInterval(speaking);
      limited.end();
    },
  };
}

/** The parent hears how far it is, and of tasks that may end it. */
const reporting = (): Required<Pick<WorkOptions, "onReady" | "onBegun" | "onLeaving" | "atRisk">> => ({
  onReady: () => {
    send({ memq: "ready", memoryBytes: process.memoryUsage.rss() });
  },
  onBegun: (lacks) => {
    send({ memq: "begun", lacks });
  },
  onLeaving: () => {
    send({ memq: "leaving" });
  },
  atRisk: (queue, id, timeoutMs) => {
    send({ memq: "risks", queue, id, timeoutMs });
    return () => {
      send({ memq: "survived", queue, id });
    };
  },
});

/** Nobody is left to hear it when the parent is gone, and that is found out by itself. */
const send = (message: FromWorker): void => {
  if (process.connected) process.send?.(message, undefined, undefined, () => undefined);
};

/** The parent says when to end; so does a signal, and the parent's death. */
function obeying(): { readonly stop: AbortSignal; readonly leave: AbortSignal } {
  const [stop, leave] = [new AbortController(), new AbortController()];
  const end = (): void => {
    stop.abort();
  };
  process.on("message", (message: unknown) => {
    const told = readMessage(message)?.memq;
    if (told === "stop") end();
    if (told === "leave") leave.abort();
  });
  process.once("disconnect", end);
  // A second one ends it at once, by the system's own way.
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.once(signal, end);
  return { stop: stop.signal, leave: leave.signal };
}
