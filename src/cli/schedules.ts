import { EXIT, worstExit, type ExitCode } from "../errors.ts";
import type { Memq } from "../memq.ts";
import type { Firing } from "../schedule/fire.ts";
import { isoTime } from "./printable.ts";
import type { Session } from "./shell.ts";

/**
 * Publishes what the schedules of these queues have due, tells what went wrong, and resolves with the exit code
 * that it means. Never rejects.
 */
export async function fireSchedules(
  session: Session,
  memq: Memq,
  queues: readonly string[],
): Promise<ExitCode> {
  // Most configurations have none: their runs do not load a calendar.
  if (!memq.config.schedules.some(({ queue }) => queues.includes(queue))) return EXIT.ok;
  const { fireDue } = await import("../schedule/fire.ts");
  const firings = await fireDue(memq, Date.now(), { queues });
  for (const firing of firings) tell(session, firing);
  return worstExit(firings.map((firing) => (firing.kind === "failed" ? firing.error.exit : EXIT.ok)));
}

function tell(session: Session, firing: Firing): void {
  const about = `schedule "${firing.schedule}"`;
  switch (firing.kind) {
    case "failed":
      session.complainOf(firing.error, about);
      return;
    case "letGo":
      session.say(
        `${about}: let go what was due up to ${isoTime(firing.letGoMs)}, too late now (catch-up = none)`,
      );
      return;
    case "fired":
      if (firing.letGoMs !== undefined) {
        session.say(
          `${about}: let go what was due up to ${isoTime(firing.letGoMs)}, too much to make up for`,
        );
      }
      if (session.parsed.flag("verbose")) {
        for (const [at, id] of firing.ids.entries()) {
          session.say(`${about}: task ${id} published for ${isoTime(firing.times[at] ?? 0)}`);
        }
      }
  }
}

// Longer than a store or a server that is well needs; one that is away must not keep the other queues waiting.
const SOON_MS = 1_000;

/** Resolves when the promise has settled, or after a second: what is ready by then is part of the run. */
export async function soon(work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise((resolve) => (timer = setTimeout(resolve, SOON_MS)));
  await Promise.race([work, late]);
  clearTimeout(timer);
}
