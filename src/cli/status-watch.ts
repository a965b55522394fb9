import { EXIT } from "../errors.ts";
import { systemClock } from "../ports/clock.ts";
import { complainOfQueues } from "./queues.ts";
import type { Session } from "./shell.ts";
import { statusJson, statusText, type Status } from "./status-text.ts";

const REDRAW_MS = 2_000;
const CLEAR_SCREEN = "\u001b[H\u001b[2J";

/** Shows the status again and again until it is interrupted. */
export async function watch(session: Session, look: () => Promise<Status>): Promise<number> {
  const stop = new AbortController();
  const end = (): void => {
    stop.abort();
  };
  process.once("SIGINT", end).once("SIGTERM", end);
  session.io.stdout.on("error", end); // whoever read it has gone
  try {
    while (!stop.signal.aborted) {
      draw(session, await look());
      await systemClock.until(Date.now() + REDRAW_MS, stop.signal);
    }
  } finally {
    process.off("SIGINT", end).off("SIGTERM", end);
  }
  return EXIT.ok;
}

function draw(session: Session, status: Status): void {
  const { io, parsed } = session;
  if (parsed.flag("json")) {
    session.print(JSON.stringify({ at: new Date(status.nowMs).toISOString(), ...statusJson(status) }));
    return;
  }
  if (io.stdout.isTTY === true) io.stdout.write(CLEAR_SCREEN);
  session.print(`${new Date(status.nowMs).toLocaleTimeString("en-GB")}\n${statusText(status, io)}`);
  complainOfQueues(session, status.views.failures);
}
